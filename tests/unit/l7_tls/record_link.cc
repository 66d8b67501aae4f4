// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/l7_tls/record_link.h"

#include <algorithm>
#include <cstdlib>

#include "l7/tls/record_opener.h"
#include "l7/tls/record_sealer.h"

namespace sluice::l7::tls::test {

using sluice::test::buffers;
using sluice::test::chain_of;

std::string unhex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(std::strtol(std::string(hex.substr(i, 2)).c_str(), nullptr, 16));
  }
  return out;
}

std::string pattern(std::size_t n) {
  std::string out(n, '\0');
  std::uint32_t x = 12345;
  for (char& c : out) {
    x = x * 1664525 + 1013904223;
    c = static_cast<char>(x >> 24);
  }
  return out;
}

namespace {

Direction direction(KeySchedule& schedule, const Suite& suite, std::uint8_t fill) {
  Direction d;
  d.secret.size = static_cast<std::uint8_t>(hash_size(suite.hash));
  std::fill_n(d.secret.bytes.begin(), d.secret.size, fill);
  if (!schedule.traffic_key(suite, d.secret, d.key)) std::abort();
  d.sequence = suite.tls13 ? 0 : 1;
  return d;
}

}  // namespace

RecordLink::RecordLink(std::uint16_t id, Under under) : suite(*find_suite(id)), under_(under) {
  const Direction up = direction(tools->schedule, suite, 1), down = direction(tools->schedule, suite, 2);
  forger = under == Under::kServer ? up : down;
  tools->aead.admit(forger.key);
  server = std::make_unique<End>(*tools, RecordKeys{&suite, up, down});
  client = std::make_unique<End>(*tools, RecordKeys{&suite, down, up, true});
}

std::string RecordLink::forge(ContentType type, std::string_view content) {
  BufChain out, plain = chain_of(content);
  if (!seal_record({suite, *tools, buffers()}, forger, type, plain, content.size(), out)) std::abort();
  return out.to_string();
}

void RecordLink::rekey_forger() {
  if (!tools->schedule.next_secret(suite, forger.secret) ||
      !tools->schedule.traffic_key(suite, forger.secret, forger.key)) {
    std::abort();
  }
  tools->aead.admit(forger.key);
  forger.sequence = 0;
}

std::string RecordLink::seal(End& end, BufChain plain) {
  while (!plain.empty()) {
    if (end.records.seal(plain, now) != Records::Result::kDone) break;
  }
  const std::string wire = end.queues.out.to_string();
  end.queues.out.clear();
  return wire;
}

Records::Result RecordLink::receive(std::string_view wire, std::size_t segment) {
  tested().queues.in.append(chain_of(wire, segment));
  BufChain plain;
  const Records::Result r = tested().records.open(plain, 1 << 20);
  opened += plain.to_string();
  return r;
}

int RecordLink::alert_of_server() {
  // The client's end has the key; what it says to an alert is its text, so look behind it.
  Direction down = direction(tools->schedule, suite, 2);
  tools->aead.admit(down.key);
  BufChain in = std::move(server->queues.out), content;
  int out = -1;
  for (;;) {
    const OpenedRecord r = open_record({suite, *tools, buffers()}, down, in, content);
    if (r.status != OpenedRecord::Status::kDone) return out;
    if (r.type == ContentType::kAlert && content.size() == 2) {
      std::array<std::uint8_t, 2> bytes;
      content.copy_out(0, bytes);
      out = bytes[0] << 8 | bytes[1];
    }
    content.clear();
  }
}

}  // namespace sluice::l7::tls::test
