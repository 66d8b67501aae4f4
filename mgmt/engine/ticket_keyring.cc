// SPDX-License-Identifier: Apache-2.0
#include "mgmt/engine/ticket_keyring.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

#include "mgmt/config/hex.h"

namespace sluice::mgmt {
namespace {

using l7::tls::TicketKey;
using l7::tls::TicketKeys;

Error file_error(const std::string& file) { return Error{file + ": " + std::generic_category().message(errno)}; }

std::span<const std::uint8_t> bytes_of(const TicketSecret& s) {
  return {reinterpret_cast<const std::uint8_t*>(s.bytes.data()), s.bytes.size()};
}

/// The whole file at once, or the one before: rename() is atomic. On the disk when it returns.
Status replace_file(const std::string& file, const std::string& text) {
  const std::string fresh = file + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return file_error(fresh);
  const bool written = ::fchmod(fd, 0600) == 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  const Error why = file_error(fresh);
  ::close(fd);
  if (written && ::rename(fresh.c_str(), file.c_str()) == 0) return Ok{};
  const Error renaming = file_error(file);
  ::unlink(fresh.c_str());
  return written ? renaming : why;
}

}  // namespace

TicketSecret::~TicketSecret() { OPENSSL_cleanse(bytes.data(), bytes.size()); }

Result<TicketKeyring> TicketKeyring::open(std::string file, std::int64_t now) {
  TicketKeyring out(std::move(file));
  if (const Status s = out.load(now); !s) return s.error();
  return out;
}

/// A key a line: since when, and the secret in hex.
Status TicketKeyring::load(std::int64_t now) {
  std::ifstream in(file_);
  if (!in) return ::access(file_.c_str(), F_OK) == 0 ? Status(file_error(file_)) : generate(now);
  std::vector<TicketSecret> secrets;
  std::vector<std::int64_t> since;
  std::int64_t time = 0;
  bool whole = true;
  for (std::string hex; whole && in >> time >> hex; OPENSSL_cleanse(hex.data(), hex.size())) {
    auto bytes = config::from_hex(hex);
    whole = bytes.has_value();
    if (whole) secrets.emplace_back(std::move(*bytes));
    since.push_back(time);
  }
  whole = whole && in.eof() && !secrets.empty();
  if (whole && adopt(secrets, since)) return Ok{};
  return Error{file_ + ": damaged; remove it, and set the keys again"};
}

Status TicketKeyring::adopt(const std::vector<TicketSecret>& secrets, const std::vector<std::int64_t>& since) {
  auto keys = std::make_shared<TicketKeys>();
  std::vector<Key> info;
  for (std::size_t i = 0; i < secrets.size(); ++i) {
    auto key = TicketKey::derive(bytes_of(secrets[i]));
    if (!key) return key.error();
    info.push_back({key->name_text(), since[i]});
    keys->push_back(std::move(*key));
  }
  configured_ = true;
  keys_ = std::move(keys);
  info_ = std::move(info);
  return Ok{};
}

Status TicketKeyring::set(const std::vector<TicketSecret>& secrets, std::int64_t now) {
  if (secrets.empty()) {
    if (::unlink(file_.c_str()) != 0 && errno != ENOENT) return file_error(file_);
    return configured_ ? generate(now) : Ok{};
  }
  std::vector<std::int64_t> since;
  std::string text;
  for (const TicketSecret& secret : secrets) {
    const auto key = TicketKey::derive(bytes_of(secret));
    if (!key) return key.error();
    const auto known = std::find_if(info_.begin(), info_.end(), [name = key->name_text()](const Key& k) { return k.name == name; });
    since.push_back(known != info_.end() ? known->since : now);
    text += std::to_string(since.back()) + " " + config::to_hex(secret.bytes) + "\n";
  }
  const Status stored = replace_file(file_, text);
  OPENSSL_cleanse(text.data(), text.size());
  return stored ? adopt(secrets, since) : stored;
}

/// Keys of our own from the first on.
Status TicketKeyring::generate(std::int64_t now) {
  auto key = TicketKey::generate();
  if (!key) return key.error();
  configured_ = false;
  info_ = {{key->name_text(), now}};
  keys_ = std::make_shared<TicketKeys>(TicketKeys{std::move(*key)});
  return Ok{};
}

Result<bool> TicketKeyring::rotate(std::int64_t now) {
  if (configured_) return false;
  const std::int64_t age = now - info_.front().since;
  const bool due = age >= kRotation || age < 0;  // or the clock was set back
  // A key has sealed until the next one came, and what it sealed last is good for a lifetime more.
  const auto retired = [&](std::size_t i) { return i > 0 && now >= info_[i - 1].since + l7::tls::kTicketLifetime; };
  if (!due && !retired(info_.size() - 1)) return false;
  auto keys = std::make_shared<TicketKeys>();
  std::vector<Key> info;
  if (due) {
    auto key = TicketKey::generate();
    if (!key) return key.error();
    info.push_back({key->name_text(), now});
    keys->push_back(std::move(*key));
  }
  for (std::size_t i = 0; i < info_.size() && !retired(i); ++i) {
    info.push_back(info_[i]);
    keys->push_back((*keys_)[i]);
  }
  keys_ = std::move(keys);
  info_ = std::move(info);
  return true;
}

}  // namespace sluice::mgmt
