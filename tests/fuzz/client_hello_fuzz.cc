// SPDX-License-Identifier: Apache-2.0
// A ClientHello as it comes from strangers: the answer is the same however the bytes are cut into segments, a prefix never
// says more than the whole, and a name is one.
#include <algorithm>

#include "l7/tls/client_hello.h"
#include "tests/fuzz/input.h"
#include "tests/support/eal.h"

namespace {

using sluice::fuzz::require;
using sluice::l7::tls::ClientHello;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char*** argv) {
  sluice::test::start_eal((*argv)[0]);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 40'000));
  const ClientHello whole = sluice::l7::tls::read_client_hello(sluice::test::chain_of(bytes, 1400));
  const std::string name(whole.server_name);
  require(name.size() <= 253 && name.find_first_of(std::string_view("\0 /:", 4)) == name.npos, "a name is one");
  if (whole.result == ClientHello::Result::kNeedMore) require(whole.wanted > bytes.size(), "it wants more than there is");
  const ClientHello cut = sluice::l7::tls::read_client_hello(sluice::test::chain_of(bytes, 61));
  require(cut.result == whole.result && cut.server_name == name, "the cuts make no difference");
  const ClientHello prefix = sluice::l7::tls::read_client_hello(sluice::test::chain_of(bytes.substr(0, bytes.size() / 2)));
  require(prefix.result == ClientHello::Result::kNeedMore || prefix.result == whole.result,
          "a prefix says no more than the whole");
  return 0;
}
