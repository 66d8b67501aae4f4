// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgmt/config/model.h"
#include "mgmt/rest/auth.h"

/// A request and its answer, free of the HTTP library: handlers are functions from one to the other.
namespace sluice::mgmt::rest {

struct Call {
  std::string method, path;
  std::multimap<std::string, std::string> query;
  std::map<std::string, std::string>
      headers;  ///< Names in lower case; values of the same name joined by ", ".
  std::string body;
  std::string remote;  ///< "127.0.0.1:51324"
  Identity identity;
  std::vector<std::string> captured;  ///< What the {names} of the route's pattern stand for.

  std::string header(const std::string& lower_case_name) const;
  std::optional<std::string> parameter(const std::string& name) const;
};

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;

  Reply& with(std::string name, std::string value) & {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  Reply&& with(std::string name, std::string value) && {
    headers.emplace_back(std::move(name), std::move(value));
    return std::move(*this);
  }
};

/// An error as application/problem+json (RFC 9457). `errors`: JSON pointers into the document that was sent.
Reply problem(int status, std::string_view detail, const std::vector<config::FieldError>& errors = {});
/// "Not Found" for 404.
std::string_view status_title(int status);

}  // namespace sluice::mgmt::rest
