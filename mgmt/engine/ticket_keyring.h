// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "l7/tls/ticket_keys.h"

namespace sluice::mgmt {

/// A secret of which a ticket key is derived, as bytes. Wipes itself.
struct TicketSecret {
  TicketSecret() = default;
  explicit TicketSecret(std::string b) : bytes(std::move(b)) {}
  TicketSecret(const TicketSecret&) = default;
  TicketSecret& operator=(const TicketSecret&) = default;
  ~TicketSecret();
  std::span<const std::uint8_t> span() const { return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}; }
  std::string bytes;
};

/// The keys of session tickets: those that somebody has set, for all appliances of a fleet, or else fresh ones of our own
/// every hour. Keys of our own are in no file; those that were set are in `file` (mode 0600) until others take their
/// place, so that a restart costs no session. In neither case are retired keys kept anywhere: who gets hold of the
/// data folder later cannot read what was recorded before. One thread at a time.
class TicketKeyring {
 public:
  static constexpr std::size_t kMaxKeys = 8;
  static constexpr std::int64_t kRotation = 3600;  ///< Seconds that a key of our own seals.

  /// `now`: Unix seconds, everywhere. An error names the file.
  static Result<TicketKeyring> open(std::string file, std::int64_t now);

  /// The first of these seals, all open. Empty: keys of our own from now on. They have passed TicketKey::derive(). On an
  /// error, which names the file, all is as before.
  Status set(const std::vector<TicketSecret>& secrets, std::int64_t now);
  /// True: there is a new key, or an old one went.
  Result<bool> rotate(std::int64_t now);

  struct Key {
    std::string name;
    std::int64_t since = 0;
  };
  /// Names, never secrets.
  struct Info {
    bool configured = false;  ///< Set by somebody, not made here.
    std::vector<Key> keys;    ///< The first seals, all open.
  };
  const Info& info() const { return info_; }
  std::shared_ptr<const l7::tls::TicketKeys> keys() const { return keys_; }

 private:
  explicit TicketKeyring(std::string file) : file_(std::move(file)) {}
  Status load(std::int64_t now);
  Status generate(std::int64_t now);
  Status forget(std::int64_t now);
  void adopt(Info info, l7::tls::TicketKeys keys);

  std::string file_;
  Info info_;  ///< Of keys_.
  std::shared_ptr<const l7::tls::TicketKeys> keys_;
};

}  // namespace sluice::mgmt
