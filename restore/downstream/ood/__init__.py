"""Is a picture foreign to the classifier, and what does restoring do to that? Every score: larger is more foreign."""
