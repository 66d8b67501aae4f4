// SPDX-License-Identifier: Apache-2.0
#include "l7/http1/body.h"
#include "tests/fuzz/http1_feed.h"

// One body. However it is cut the same comes out, never more than went in; a chunked body that was decoded
// and encoded again decodes to the same.
namespace {

using namespace sluice;
using l7::http::Framing;
using l7::http1::BodyDecoder;

struct Result {
  BodyDecoder::Status status = BodyDecoder::Status::kMore;
  std::string body, trailers, rest, reason;
  bool operator==(const Result&) const = default;
};

Result decode(std::vector<BufChain> calls, const Framing& framing) {
  BodyDecoder decoder;
  decoder.start(framing);
  BufChain in, out;
  Result r;
  for (BufChain& piece : calls) {
    in.append(std::move(piece));
    if (r.status == BodyDecoder::Status::kMore) r.status = decoder.decode(in, out, test::buffers());
    fuzz::require(decoder.decoded() == out.size(), "what is counted has come out");
  }
  r.body = out.to_string();
  r.reason = decoder.reason();
  if (r.status == BodyDecoder::Status::kDone) {
    r.rest = in.to_string();
    r.trailers = decoder.trailers();
    fuzz::require(decoder.finish() == BodyDecoder::Status::kDone, "done stays done");
  }
  return r;
}

void check_round_trip(const Result& r, std::uint32_t seed) {
  BufChain wire;
  for (BufChain& piece : fuzz::cut(r.body, seed)) {
    fuzz::require(l7::http1::encode_chunk(std::move(piece), wire, test::buffers()), "there is memory");
  }
  fuzz::require(l7::http1::encode_last_chunk(r.trailers, wire, test::buffers()), "there is memory");
  std::vector<BufChain> calls;
  calls.push_back(std::move(wire));
  const Result again = decode(std::move(calls), {Framing::Kind::kChunked, 0});
  fuzz::require(again.status == BodyDecoder::Status::kDone, "what was encoded decodes");
  fuzz::require(again.body == r.body && again.trailers == r.trailers && again.rest.empty(), "to the same");
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char*** argv) {
  test::start_eal((*argv)[0]);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  Framing framing{Framing::Kind::kChunked, 0};
  if (input.seed % 16 == 0) framing = {Framing::Kind::kLength, 1 + input.seed % 97};
  if (input.seed % 16 == 1) framing = {Framing::Kind::kUntilClose, 0};
  const std::size_t free_before = test::free_buffers();
  const Result whole = decode(fuzz::cut(input.text, 0), framing);
  fuzz::require(whole.body.size() + whole.trailers.size() + whole.rest.size() <=
                    input.text.size() + whole.trailers.size(),
                "nothing is made up");
  fuzz::require(decode(fuzz::cut(input.text, input.seed), framing) == whole, "the cut makes no difference");
  if (whole.status == BodyDecoder::Status::kDone && framing.kind == Framing::Kind::kChunked) {
    check_round_trip(whole, input.seed);
  }
  fuzz::require(test::free_buffers() == free_before, "no buffer leaks");
  return 0;
}
