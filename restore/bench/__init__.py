"""Proof: degradations x models x pictures, and folders against folders, every number with its protocol."""

from restore.bench.compare import CompareResult, compare_folders
from restore.bench.contenders import split_models
from restore.bench.result import BenchResult, parse_gates
from restore.bench.run import run_bench

__all__ = ["BenchResult", "CompareResult", "compare_folders", "parse_gates", "run_bench", "split_models"]
