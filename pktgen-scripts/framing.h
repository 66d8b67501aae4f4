// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "pktgen-scripts/pattern.h"

namespace sluice::pktgen {

/// What reading says of the bytes so far.
enum class Verdict : std::uint8_t {
  kMore,      ///< Right so far.
  kComplete,  ///< A whole message, nothing behind it.
  kStatus,    ///< Another status than expected.
  kHead,      ///< No HTTP head, or one that frames something else than expected.
  kBody,      ///< A wrong byte, or more bytes than belong there.
};

/// What messages of one direction must be, and what was learnt of them. One a worker.
struct MessageRules {
  std::string start;              ///< The head begins with this: "HTTP/1.1 200", "GET /pktgen ".
  const Pattern* body = nullptr;  ///< Of what Content-Length announces.
  Verdict wrong_start = Verdict::kHead;
  std::string known_head;  ///< The last good one: the next is likely the same.
  bool known_close = false;
};

/// Frames and verifies the messages of a connection, one at a time: only what framing needs is parsed. Own
/// code on purpose, so that it shares no mistake with the parser under test.
class MessageReader {
 public:
  /// Takes the next bytes. After kComplete it is ready for the next message; after the others it is of no
  /// use. `why` is set when the verdict is bad.
  Verdict feed(std::span<const std::uint8_t> bytes, MessageRules& rules, std::string& why);

  /// Whether the last head asked for the connection's end.
  bool close() const { return close_; }
  /// Nothing of a message has come yet.
  bool fresh() const { return !in_body_ && !partial_; }

 private:
  Verdict head_done(std::string_view head, MessageRules& rules, std::string& why);
  Verdict body(std::span<const std::uint8_t> bytes, const MessageRules& rules, std::string& why);

  std::unique_ptr<std::string> partial_;  // of a head that came in pieces
  std::uint32_t offset_ = 0;              // in the body
  bool in_body_ = false, close_ = false;
};

/// Value of a field in a head, without surrounding blanks; names compare without case.
std::string_view field(std::string_view head, std::string_view name);

}  // namespace sluice::pktgen
