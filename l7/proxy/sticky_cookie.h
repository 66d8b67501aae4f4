// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "l7/http/message.h"

/// Cookies that lead a client back to the member that served it before. A member's mark is a number; on the
/// wire it is 16 hexadecimal digits.
namespace sluice::l7::proxy {

/// Of the first cookie `name` in a request (RFC 6265, 4.2.1) that has one: its whole value, or, when the
/// backend made the cookie (`rewritten`), what with_mark() put before it.
std::optional<std::uint64_t> mark_in_request(const http::FieldList& fields, std::string_view name, bool rewritten);

/// The value of a Set-Cookie field of our own. `max_age_s` 0: until the browser ends.
void make_cookie(std::string_view name, std::uint64_t mark, std::uint32_t max_age_s, bool secure, std::string& out);

/// A backend's Set-Cookie value, with the mark before the cookie's value when it is `name`'s; `out` holds it
/// then.
std::string_view with_mark(std::string_view set_cookie, std::string_view name, std::uint64_t mark, std::string& out);

/// A request's Cookie value as the backend knows it: without the marks of cookies `name`. `out` holds it when
/// there was one.
std::string_view without_marks(std::string_view cookies, std::string_view name, std::string& out);

}  // namespace sluice::l7::proxy
