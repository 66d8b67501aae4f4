// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "l7/http/message.h"

namespace sluice::l7::http1 {

/// Parses field lines (RFC 9112, 5). `text` must end with the CRLF CRLF of the head, or be only its last CRLF
/// when there are no fields, and have no empty line before. Returns what is wrong, a literal; empty: all is
/// well.
std::string_view parse_fields(std::string_view text, http::FieldList& out);

/// One field line from the start of `text`, which ends with CRLF; the line leaves it.
std::string_view parse_field_line(std::string_view& text, http::Field& out);

}  // namespace sluice::l7::http1
