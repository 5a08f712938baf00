"""Speed beside the peers and beside the limit, measured in one run; see docs/benchmarks.md."""
