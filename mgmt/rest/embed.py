# SPDX-License-Identifier: Apache-2.0
"""A text file as a C++ function: embed.py INPUT OUTPUT"""
import sys

data = open(sys.argv[1], "rb").read()
rows = [", ".join(str(b) for b in data[i:i + 32]) for i in range(0, len(data), 32)]
with open(sys.argv[2], "w", encoding="ascii") as out:
    out.write('#include "mgmt/rest/openapi.h"\nnamespace sluice::mgmt::rest {\n'
              "static constexpr unsigned char kDocument[] = {\n" + ",\n".join(rows) + "};\n"
              "std::string_view openapi_document() {\n"
              "  return {reinterpret_cast<const char*>(kDocument), sizeof kDocument};\n}\n}\n")
