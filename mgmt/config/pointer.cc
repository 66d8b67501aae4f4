// SPDX-License-Identifier: Apache-2.0
#include "mgmt/config/pointer.h"

namespace sluice::mgmt::config {

std::string Pointer::to_string() const {
  if (parent_ == nullptr) return {};
  return parent_->to_string() + "/" + (indexed_ ? std::to_string(index_) : escape_token(name_));
}

std::string escape_token(std::string_view token) {
  std::string out;
  out.reserve(token.size());
  for (const char c : token) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string unescape_token(std::string_view token) {
  std::string out;
  out.reserve(token.size());
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool escaped =
        token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1');
    out += escaped ? (token[++i] == '1' ? '/' : '~') : token[i];
  }
  return out;
}

void ErrorList::add(const Pointer& at, std::string message) {
  if (!full()) add(at.to_string(), std::move(message));
}

void ErrorList::add(std::string path, std::string message) {
  if (!full()) errors_.push_back({std::move(path), std::move(message)});
}

}  // namespace sluice::mgmt::config
