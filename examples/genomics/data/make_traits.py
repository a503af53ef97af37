"""Makes the phenotypes and covariates beside it from the genotypes: python -m examples.genomics.data.make_traits FOLDER.

The people of the 1000 Genomes Project are real and so are their genotypes; these traits are not. With g the copies of allele A1 of
rs6416772 (missing: 0), a the age, and independent noise from numpy's generator with seed 16:

    age     = uniform from 20 to 70, rounded to whole years
    site    = 0 or 1, where somebody was measured
    height  = 165 + 4 g - 0.05 a + site + 6 normal, in cm; missing for every 40th person
    disease : 2 (case) with probability 1 / (1 + exp(3.4 - 0.7 g - 0.03 a)), else 1 (control)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from examples.genomics.gwas.bed import Fileset
from examples.genomics.gwas.genotypes import decode

NAME = "1000genomes-chr16"
CAUSAL = "rs6416772"


def main(folder: Path) -> None:
    """Write ``NAME.pheno`` and ``NAME.covar``."""
    fileset = Fileset.open(str(Path(__file__).with_name(NAME)))
    samples, at = fileset.samples, fileset.variants.id.index(CAUSAL)
    copies = decode(fileset.packed(at, at + 1), np.zeros((1, fileset.width), np.float32))[0, : len(samples)].astype(np.float64)
    random = np.random.default_rng(16)
    age = np.rint(random.uniform(20, 70, len(samples)))
    site = random.integers(0, 2, len(samples))
    height = 165 + 4 * copies - 0.05 * age + site + 6 * random.standard_normal(len(samples))
    chance = 1 / (1 + np.exp(3.4 - 0.7 * copies - 0.03 * age))
    disease = 1 + (random.random(len(samples)) < chance)
    known = [f"{each:.1f}" if row % 40 else "NA" for row, each in enumerate(height.tolist())]
    people = list(zip(samples.fid, samples.iid, strict=True))
    phenotypes = [f"{fid}\t{iid}\t{cm}\t{case}\n" for (fid, iid), cm, case in zip(people, known, disease.tolist(), strict=True)]
    covariates = [
        f"{fid}\t{iid}\t{years:.0f}\t{where}\n"
        for (fid, iid), years, where in zip(people, age.tolist(), site.tolist(), strict=True)
    ]
    (folder / f"{NAME}.pheno").write_text("#FID\tIID\theight\tdisease\n" + "".join(phenotypes))
    (folder / f"{NAME}.covar").write_text("#FID\tIID\tage\tsite\n" + "".join(covariates))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
