# SPDX-License-Identifier: Apache-2.0
import sys

from bench import l4, http, tls, memory, rules, latency, start  # noqa: F401  (each registers its benchmarks, in this order)
from bench.runner import main

sys.exit(main(sys.argv[1:]))
