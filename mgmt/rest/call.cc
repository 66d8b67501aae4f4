// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/call.h"

#include <nlohmann/json.hpp>

namespace sluice::mgmt::rest {

std::string Call::header(const std::string& lower_case_name) const {
  const auto it = headers.find(lower_case_name);
  return it == headers.end() ? "" : it->second;
}

std::optional<std::string> Call::parameter(const std::string& name) const {
  const auto it = query.find(name);
  return it == query.end() ? std::nullopt : std::optional(it->second);
}

std::string_view status_title(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 507:
      return "Insufficient Storage";
    default:
      return "Error";
  }
}

Reply problem(int status, std::string_view detail, const std::vector<config::FieldError>& errors) {
  // type "about:blank": the title is the status's own phrase (RFC 9457, 4.2.1).
  nlohmann::json body = {
      {"type", "about:blank"}, {"title", status_title(status)}, {"status", status}, {"detail", detail}};
  if (!errors.empty()) {
    body["errors"] = nlohmann::json::array();
    for (const auto& e : errors) body["errors"].push_back({{"path", e.path}, {"message", e.message}});
  }
  // Details may quote what the client sent, which may be no UTF-8.
  return {status,
          "application/problem+json",
          body.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n",
          {}};
}

}  // namespace sluice::mgmt::rest
