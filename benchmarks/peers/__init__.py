"""The peers of the risk workloads: libraries that a benchmark asks for, and plain programs as a textbook has them."""
