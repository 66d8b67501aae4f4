// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/auth.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sys/stat.h>

#include <sstream>
#include <stdexcept>

#include "dataplane/base/hex.h"
#include "mgmt/store/file.h"

namespace sluice::mgmt::rest {
namespace {

constexpr std::size_t kMinTokenSize = 16;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool parse_hex(std::string_view text, std::array<std::uint8_t, 32>& out) {
  if (text.size() != 2 * out.size()) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

std::string_view trimmed(std::string_view s) {
  const auto first = s.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

std::string_view to_string(Role role) {
  switch (role) {
    case Role::kViewer:
      return "viewer";
    case Role::kAdmin:
      return "admin";
    case Role::kNone:
      break;
  }
  return "none";
}

Tokens::Digest Tokens::digest_of(std::string_view token) {
  Digest out;
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), out.data());
  return out;
}

Result<std::vector<Tokens::Entry>> Tokens::parse(std::string_view text, const std::string& name) {
  std::vector<Entry> out;
  std::istringstream in{std::string(text)};
  std::string line;
  for (unsigned n = 1; std::getline(in, line); ++n) {
    const std::string_view content = trimmed(std::string_view(line).substr(0, line.find('#')));
    if (content.empty()) continue;
    std::istringstream words{std::string(content)};
    std::string who, role, token, rest;
    words >> who >> role >> token;
    const auto fail = [&](std::string_view what) { return Error{fmt::format("{}:{}: {}", name, n, what)}; };
    if (token.empty() || words >> rest) return fail("expected three words: name, role, token");
    Entry e;
    e.identity.name = who;
    e.identity.role = role == "admin" ? Role::kAdmin : role == "viewer" ? Role::kViewer : Role::kNone;
    if (e.identity.role == Role::kNone) return fail("role: expected admin or viewer");
    if (token.starts_with("sha256:")) {
      if (!parse_hex(std::string_view(token).substr(7), e.digest))
        return fail("token: expected 64 hex digits after sha256:");
    } else {
      if (token.size() < kMinTokenSize)
        return fail(fmt::format("token: expected {} characters at least", kMinTokenSize));
      e.digest = digest_of(token);
    }
    out.push_back(std::move(e));
  }
  if (out.empty()) return Error{name + ": holds no token"};
  return out;
}

Status Tokens::load_text(std::string_view text, const std::string& name) {
  auto entries = parse(text, name);
  if (!entries) return entries.error();
  const std::lock_guard lock(mutex_);
  entries_ = std::move(entries).value();
  return Ok{};
}

Status Tokens::load_file(const std::string& path) {
  const auto text = store::read_file(path);
  if (!text) return text.error();
  return load_text(*text, path);
}

Status Tokens::load_or_create_admin(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
    if (const Status s = store::write_file(path, random_token() + "\n", 0600); !s) return s;
  }
  const auto text = store::read_file(path);
  if (!text) return text.error();
  const std::string_view token = trimmed(*text);
  if (token.size() < kMinTokenSize || token.find_first_of(" \t\n") != std::string_view::npos) {
    return Error{fmt::format("{}: expected one token of {} characters at least", path, kMinTokenSize)};
  }
  const std::lock_guard lock(mutex_);
  entries_ = {{{"admin", Role::kAdmin}, digest_of(token)}};
  return Ok{};
}

std::optional<Identity> Tokens::identify(std::string_view token) const {
  const Digest given = digest_of(token);
  const std::lock_guard lock(mutex_);
  const Entry* found = nullptr;
  for (const Entry& e : entries_) {  // all of them, always
    if (CRYPTO_memcmp(e.digest.data(), given.data(), given.size()) == 0) found = &e;
  }
  if (found == nullptr) return std::nullopt;
  return found->identity;
}

std::string random_token() {
  std::array<unsigned char, 32> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw std::runtime_error("no random numbers");
  return to_hex(bytes);
}

}  // namespace sluice::mgmt::rest
