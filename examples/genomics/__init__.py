"""Genomics workloads; README.md tells what each one computes and what to expect of it."""
