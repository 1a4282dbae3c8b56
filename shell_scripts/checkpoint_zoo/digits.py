"""
scikit-learn's handwritten digits as one array of images and one of labels: `python digits.py digits.npz`. Nothing is
downloaded.
"""

import sys

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
np.savez_compressed(sys.argv[1], images=digits.images.astype(np.uint8), labels=digits.target)
print(f"{sys.argv[1]}: {len(digits.target)} images")
