// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/certificate_table.h"

#include <algorithm>

#include "dataplane/base/ascii.h"

namespace sluice::l7::tls {
namespace {

std::shared_ptr<const Certificate>& place(CertificateSet& set, const Certificate& certificate) {
  return set[static_cast<std::size_t>(certificate.handles().kind)];
}

}  // namespace

void CertificateTable::add(const std::shared_ptr<const Certificate>& certificate,
                           const std::vector<std::string>& names) {
  for (const std::string& any_case : names) {
    const std::string name = ascii_lower(any_case);
    CertificateSet& set = by_name_[name.starts_with("*.") ? name.substr(1) : name];
    auto& at = place(set, *certificate);
    if (at == nullptr) at = certificate;
  }
}

void CertificateTable::set_default(const std::shared_ptr<const Certificate>& certificate) {
  default_ = {};
  place(default_, *certificate) = certificate;
}

const CertificateSet& CertificateTable::find(std::string_view server_name) const {
  if (!server_name.empty() && server_name.back() == '.') server_name.remove_suffix(1);
  char text[256];
  if (server_name.empty() || server_name.size() > sizeof text) return default_;
  std::transform(server_name.begin(), server_name.end(), text, [](char c) { return ascii_lower(c); });
  const std::string_view name(text, server_name.size());

  // A name that starts with a dot would find a wildcard as if it were exact.
  if (name.front() == '.') return default_;
  if (const auto exact = by_name_.find(name); exact != by_name_.end()) return exact->second;
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return default_;
  const auto wildcard = by_name_.find(name.substr(dot));
  return wildcard != by_name_.end() ? wildcard->second : default_;
}

}  // namespace sluice::l7::tls
