// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "l7/tls/own_records.h"
#include "tests/support/eal.h"

/// Two ends of our own record layer with keys in common, without a handshake between them.
namespace sluice::l7::tls::test {

std::string unhex(std::string_view hex);

/// Bytes in which nothing repeats at a distance that matters.
std::string pattern(std::size_t n);

class RecordLink {
 public:
  /// Who receives what is forged.
  enum class Under : std::uint8_t { kServer, kClient };
  explicit RecordLink(std::uint16_t suite, Under under = Under::kServer);

  struct End {
    End(RecordTools& tools, const RecordKeys& keys) : records(queues, tools, keys) {}
    CipherQueues queues{sluice::test::buffers(), {}, {}};
    OwnRecords records;
  };

  /// A record that the peer of who is under test might send, whatever is in it; its sequence goes on. Of TLS 1.3: `type` comes last, behind
  /// `content`, so that 0 makes padding of it.
  std::string forge(ContentType type, std::string_view content);
  /// As if the last forged one was a KeyUpdate.
  void rekey_forger();

  /// Seals all of `plain`; the bytes of the wire.
  std::string seal(End& end, BufChain plain);
  /// Feeds who is under test, in segments; what it opened is added to `opened`.
  Records::Result receive(std::string_view wire, std::size_t segment = 1400);
  /// What the server's last record says, which is an alert: level and description in one number.
  int alert_of_server();

  const Suite& suite;
  std::unique_ptr<RecordTools> tools = std::make_unique<RecordTools>();
  Direction forger;
  std::unique_ptr<End> server, client;
  End& tested() { return under_ == Under::kServer ? *server : *client; }
  End& peer() { return under_ == Under::kServer ? *client : *server; }
  std::string opened;
  Instant now{std::chrono::seconds(100)};

 private:
  const Under under_;
};

}  // namespace sluice::l7::tls::test
