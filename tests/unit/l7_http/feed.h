// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "l7/http1/body.h"
#include "l7/http1/parser.h"
#include "tests/support/eal.h"
#include "tests/unit/l7_http/describe.h"

/// Feeds one message in every way in which a peer and the network may cut it, and insists on one result.
namespace sluice::l7::http1::test {

struct Outcome {
  ParseStatus status = ParseStatus::kNeedMore;
  std::uint16_t http_status = 0;
  std::string reason;
  std::string head;  ///< kComplete: everything in the head, as text.
  std::string rest;  ///< kComplete: what stayed in the chain.
  bool operator==(const Outcome&) const = default;
};

inline std::ostream& operator<<(std::ostream& os, const Outcome& o) {
  return os << static_cast<int>(o.status) << ' ' << o.http_status << " '" << o.reason << "' " << o.head
            << " rest='" << o.rest << "'";
}

/// One parser over the pieces; `pieces` are what each call finds newly arrived.
template <class Parse, class Head>
Outcome feed(std::vector<BufChain> pieces, Parse&& parse, Head& head) {
  BufChain in;
  HeadStorage storage;
  Outcome out;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    in.append(std::move(pieces[i]));
    const std::size_t before = in.size();
    const ParseResult r = parse(in, storage, head);
    out = {r.status, r.http_status, std::string(r.reason), {}, {}};
    if (r.status == ParseStatus::kNeedMore) {
      EXPECT_LE(in.size(), before);
      continue;
    }
    if (r.status == ParseStatus::kError) break;
    for (++i; i < pieces.size(); ++i) in.append(std::move(pieces[i]));
    out.head = describe(head);
    out.rest = in.to_string();
  }
  return out;
}

inline std::vector<BufChain> one(BufChain c) {
  std::vector<BufChain> v;
  v.push_back(std::move(c));
  return v;
}

inline std::vector<BufChain> cut_every(std::string_view text, std::size_t n) {
  std::vector<BufChain> v;
  for (; !text.empty(); text.remove_prefix(std::min(n, text.size()))) {
    v.push_back(sluice::test::chain_of(text.substr(0, n)));
  }
  return v;
}

/// Whole; in one call with segments of 1..n bytes; in two calls cut at every byte; byte by byte. `run` takes
/// pieces.
template <class Run>
Outcome feed_in_all_ways(std::string_view text, Run&& run) {
  const std::size_t free_before = sluice::test::free_buffers();
  const Outcome whole = run(one(sluice::test::chain_of(text)));
  const std::size_t most = std::min<std::size_t>(text.size(), 600);
  for (std::size_t n = 1; n <= most; ++n) {
    EXPECT_EQ(run(one(sluice::test::chain_of(text, n))), whole) << "segments of " << n;
  }
  for (std::size_t at = 1; at < most; ++at) {
    std::vector<BufChain> two = one(sluice::test::chain_of(text.substr(0, at)));
    two.push_back(sluice::test::chain_of(text.substr(at)));
    EXPECT_EQ(run(std::move(two)), whole) << "cut at " << at;
  }
  for (const std::size_t n : {1, 2, 3, 7}) EXPECT_EQ(run(cut_every(text, n)), whole) << "calls of " << n;
  EXPECT_EQ(sluice::test::free_buffers(), free_before) << "leak";
  return whole;
}

inline Outcome request(std::string_view text, const Limits& limits = {}) {
  http::RequestHead head;
  return feed_in_all_ways(text, [&](std::vector<BufChain> pieces) {
    RequestParser parser(limits);
    return feed(
        std::move(pieces),
        [&](BufChain& in, HeadStorage& s, http::RequestHead& h) {
          return parser.parse(in, s, h, sluice::test::buffers());
        },
        head);
  });
}

inline Outcome response(std::string_view text, http::Method method = http::Method::kGet,
                        const Limits& limits = {}) {
  http::ResponseHead head;
  return feed_in_all_ways(text, [&](std::vector<BufChain> pieces) {
    ResponseParser parser(limits);
    return feed(
        std::move(pieces),
        [&](BufChain& in, HeadStorage& s, http::ResponseHead& h) {
          return parser.parse(in, method, s, h, sluice::test::buffers());
        },
        head);
  });
}

/// A named case of a table test.
struct Case {
  const char* name;
  std::string text;
  std::uint16_t status = 0;
};

inline std::string case_name(const testing::TestParamInfo<Case>& info) { return info.param.name; }
inline void PrintTo(const Case& c, std::ostream* os) { *os << c.name; }

}  // namespace sluice::l7::http1::test
