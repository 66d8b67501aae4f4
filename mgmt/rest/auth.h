// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"

namespace sluice::mgmt::rest {

enum class Role : std::uint8_t { kNone, kViewer, kAdmin };  ///< Each may what those before it may.
std::string_view to_string(Role role);

struct Identity {
  std::string name;  ///< For the audit log and the list of revisions.
  Role role = Role::kNone;
};

/// Who may come in, by bearer token (RFC 6750). Only hashes are kept. Any thread.
class Tokens {
 public:
  /// Replaces all by the lines of a file: "name role token", where role is admin or viewer, and token is the
  /// secret itself (16 characters at least) or "sha256:" and 64 hex digits. '#' starts a comment. Errors name
  /// the line, never the token.
  Status load_file(const std::string& path);
  Status load_text(std::string_view text, const std::string& name);
  /// One admin token, alone in its file (mode 0600); made when the file does not exist.
  Status load_or_create_admin(const std::string& path);

  /// The time this takes tells nothing about how much of a token was right.
  std::optional<Identity> identify(std::string_view token) const;

 private:
  using Digest = std::array<std::uint8_t, 32>;
  struct Entry {
    Identity identity;
    Digest digest;
  };
  static Result<std::vector<Entry>> parse(std::string_view text, const std::string& name);
  static Digest digest_of(std::string_view token);

  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
};

/// 32 random bytes as hex.
std::string random_token();

}  // namespace sluice::mgmt::rest
