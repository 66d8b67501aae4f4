// SPDX-License-Identifier: Apache-2.0
#include "mgmt/engine/ticket_keyring.h"

#include <openssl/crypto.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <sstream>
#include <utility>

#include "dataplane/base/hex.h"
#include "mgmt/store/file.h"

namespace sluice::mgmt {
namespace {

using l7::tls::TicketKey;
using l7::tls::TicketKeys;

/// Puts a key behind the others.
void append(TicketKeyring::Info& info, TicketKeys& keys, TicketKey key, std::int64_t since) {
  info.keys.push_back({key.name_text(), since});
  keys.push_back(std::move(key));
}

/// A line of the file: since when, and the secret in hex. None: it is something else.
std::optional<std::pair<std::int64_t, TicketSecret>> read_line(const std::string& line) {
  std::istringstream in(line);
  std::int64_t since = 0;
  std::string hex, more;
  const bool two = static_cast<bool>(in >> since >> hex) && !(in >> more);
  auto bytes = two ? from_hex(hex) : std::nullopt;
  OPENSSL_cleanse(hex.data(), hex.size());
  if (!bytes) return std::nullopt;
  return std::pair(since, TicketSecret(std::move(*bytes)));
}

}  // namespace

TicketSecret::~TicketSecret() { OPENSSL_cleanse(bytes.data(), bytes.size()); }

Result<TicketKeyring> TicketKeyring::open(std::string file, std::int64_t now) {
  TicketKeyring out(std::move(file));
  if (const Status s = out.load(now); !s) return s.error();
  return out;
}

Status TicketKeyring::load(std::int64_t now) {
  if (::access(file_.c_str(), F_OK) != 0 && errno == ENOENT) return generate(now);
  auto text = store::read_file(file_);
  if (!text) return text.error();
  Info info{true, {}};
  TicketKeys keys;
  bool whole = true;
  std::istringstream lines(*text);
  for (std::string line; whole && std::getline(lines, line); OPENSSL_cleanse(line.data(), line.size())) {
    const auto read = read_line(line);
    auto key = read ? TicketKey::derive(read->second.span()) : Result<TicketKey>(Error{});
    whole = static_cast<bool>(key);
    if (whole) append(info, keys, std::move(*key), read->first);
  }
  OPENSSL_cleanse(text->data(), text->size());
  if (!whole || keys.empty()) return Error{file_ + ": damaged; remove it, and set the keys again"};
  adopt(std::move(info), std::move(keys));
  return Ok{};
}

void TicketKeyring::adopt(Info info, TicketKeys keys) {
  info_ = std::move(info);
  keys_ = std::make_shared<TicketKeys>(std::move(keys));
}

Status TicketKeyring::set(const std::vector<TicketSecret>& secrets, std::int64_t now) {
  if (secrets.empty()) return forget(now);
  Info info{true, {}};
  TicketKeys keys;
  std::string text;
  for (const TicketSecret& secret : secrets) {
    auto key = TicketKey::derive(secret.span());
    if (!key) return key.error();
    const auto known = std::find_if(info_.keys.begin(), info_.keys.end(),
                                    [name = key->name_text()](const Key& k) { return k.name == name; });
    const std::int64_t since = known != info_.keys.end() ? known->since : now;
    std::string hex = to_hex(secret.span());
    text += std::to_string(since) + " " + hex + "\n";
    OPENSSL_cleanse(hex.data(), hex.size());
    append(info, keys, std::move(*key), since);
  }
  const Status stored = store::write_file(file_, text, 0600);
  OPENSSL_cleanse(text.data(), text.size());
  if (stored) adopt(std::move(info), std::move(keys));
  return stored;
}

/// Keys of our own again; those that are in use stay. A new one is made before the file goes.
Status TicketKeyring::forget(std::int64_t now) {
  TicketKeyring fresh(file_);
  if (const Status made = info_.configured ? fresh.generate(now) : Ok{}; !made) return made;
  if (const Status removed = store::remove_file(file_); !removed) return removed;
  if (info_.configured) *this = std::move(fresh);
  return Ok{};
}

/// Keys of our own from the first on.
Status TicketKeyring::generate(std::int64_t now) {
  auto key = TicketKey::generate();
  if (!key) return key.error();
  Info info;
  TicketKeys keys;
  append(info, keys, std::move(*key), now);
  adopt(std::move(info), std::move(keys));
  return Ok{};
}

Result<bool> TicketKeyring::rotate(std::int64_t now) {
  if (info_.configured) return false;
  const std::vector<Key>& had = info_.keys;
  const std::int64_t age = now - had.front().since;
  const bool due = age >= kRotation || age < 0;  // or the clock was set back
  // A key has sealed until the next one came, and what it sealed last is good for a lifetime more.
  const auto retired = [&](std::size_t i) { return i > 0 && now >= had[i - 1].since + l7::tls::kTicketLifetime; };
  if (!due && !retired(had.size() - 1)) return false;
  Info info;
  TicketKeys keys;
  if (due) {
    auto key = TicketKey::generate();
    if (!key) return key.error();
    append(info, keys, std::move(*key), now);
  }
  for (std::size_t i = 0; i < had.size() && !retired(i); ++i) append(info, keys, (*keys_)[i], had[i].since);
  adopt(std::move(info), std::move(keys));
  return true;
}

}  // namespace sluice::mgmt
