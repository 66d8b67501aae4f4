// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "l7/http/message.h"

/// Where a message ends (RFC 9112, 6), decided in one place without mercy: what two parsers could read in two
/// ways is an error. Pure functions.
namespace sluice::l7::http1 {

struct FramingDecision {
  http::Framing framing;
  std::uint16_t http_status =
      0;                    ///< 0: fine. Else what a request is answered with (400, 501); 502 for responses.
  std::string_view reason;  ///< A literal.
  bool reusable = true;     ///< False: nothing behind this message may be read as a message.
  bool ok() const { return http_status == 0; }
};

FramingDecision request_framing(http::Method method, http::Version version, const http::FieldList& fields);
FramingDecision response_framing(std::uint16_t status, http::Method request_method, http::Version version,
                                 const http::FieldList& fields);

/// What the Connection fields say about persistence (RFC 9112, 9.3).
bool wants_keep_alive(http::Version version, const http::FieldList& fields);

/// Whether a trailer of this name is dropped instead of passed on (RFC 9110, 6.5.1).
bool forbidden_in_trailers(std::string_view name);

}  // namespace sluice::l7::http1
