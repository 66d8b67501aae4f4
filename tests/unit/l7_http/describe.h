// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "l7/http/message.h"

/// A message head as text, all of it: what tests and fuzz targets compare.
namespace sluice::l7::http1::test {

inline std::string describe(const http::Framing& f) {
  static constexpr const char* kKinds[] = {"none", "length", "chunked", "until-close", "tunnel"};
  return std::string(kKinds[static_cast<std::size_t>(f.kind)]) + ":" + std::to_string(f.length);
}

inline std::string describe(const http::FieldList& fields) {
  std::string out;
  for (const http::Field& f : fields) out.append(f.name).append("=").append(f.value).append(";");
  return out;
}

inline std::string describe(const http::RequestHead& h) {
  std::string out;
  for (const std::string_view part : {h.method_text, h.target, h.path, h.query, h.authority, h.host}) {
    out.append(part).append("|");
  }
  out += std::to_string(static_cast<int>(h.method)) + std::to_string(static_cast<int>(h.version));
  out += h.keep_alive ? "K" : "-";
  out += h.expect_continue ? "E" : "-";
  out += h.upgrade ? "U" : "-";
  return out + "|" + describe(h.framing) + "|" + describe(h.fields);
}

inline std::string describe(const http::ResponseHead& h) {
  return std::to_string(h.status) + "|" + std::string(h.reason) + "|" +
         std::to_string(static_cast<int>(h.version)) + (h.keep_alive ? "K" : "-") + "|" +
         describe(h.framing) + "|" + describe(h.fields);
}

}  // namespace sluice::l7::http1::test
