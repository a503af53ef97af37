"""Unitigs: the compacted de Bruijn graph of the k-mers of sequencing reads, over MPI.

kmers        counts k-mers in bins, by minimizer; of each bin those that occur often enough come here
segments     chains of k-mers inside of a bin (joins, homes, chains, strands: what this takes); knows no MPI
graph        joins the segments of all bins, of all ranks
pieces       chains of segments inside of a rank
ranking      where each piece stands in its unitig: pointer doubling over all ranks
assembly     pieces brought together and written, in alphabetical order
links        which unitigs meet
output       unitigs.fa, unitigs.gfa, summary.json, lengths.svg
resume       what is saved
arguments, program, __main__   the command line
"""
