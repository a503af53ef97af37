"""Genome-wide association studies of PLINK files, over MPI.

Takes: genotypes of many people, their phenotypes and covariates.
Gives: one line of statistics per variant and phenotype in plink2's columns, principal components, a relationship matrix, charts;
the same bytes for any number of ranks.
May import: numpy, batchhpc.rank, mpi4py (in ``__main__`` only).
"""
