"""FASTA and FASTQ files to text for k-mers: which rank reads what, in rounds that another number of ranks can go on with.

Takes: addresses of files, plain, gzipped or BGZF, local or in S3; the ranks.
Gives: each rank's text of each round; errors that name file, record and line.
May import: numpy, examples.workload.

    arguments.py  what programs that read sequences are told
    inputs.py     what kind of file is at an address
    schedule.py   chunks and streams: who reads what in which round
    windows.py    the bytes of a chunk, and those around it: of a plain file, of a BGZF file, of a gzip stream
    bgzf.py       the members of a BGZF file
    lines.py      where lines end
    fasta.py      bytes of FASTA -> sequences; fastq.py: bytes of FASTQ -> reads
    place.py      record and line of a byte, once something is wrong
    reader.py     all of it together
"""

from examples.genomics.sequences.inputs import Format, Input, Packing, inspect
from examples.genomics.sequences.reader import Reader
from examples.genomics.sequences.schedule import Schedule
from examples.genomics.sequences.tally import Tally

__all__ = ["Format", "Input", "Packing", "Reader", "Schedule", "Tally", "inspect"]
