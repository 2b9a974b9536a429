"""Pictures changed on purpose: attacks through the restorer and the classifier, and certificates against them.

``defended`` is always the whole chain, ``classifier(restorer(x))``: an attack on the bare classifier says nothing about
it and is shown only beside the real one.
"""
