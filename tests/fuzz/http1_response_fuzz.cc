// SPDX-License-Identifier: Apache-2.0
#include "l7/http1/body.h"
#include "l7/http1/parser.h"
#include "tests/fuzz/http1_feed.h"
#include "tests/unit/l7_http/describe.h"

// A backend's answers on one connection, as a client reads them until its end.
namespace {

using namespace sluice;
using l7::http1::test::describe;

struct Client {
  l7::http1::ResponseParser parser{l7::http1::Limits()};
  l7::http1::HeadStorage storage;
  l7::http::ResponseHead head;
  l7::http1::BodyDecoder body;
  l7::http::Method method;
  bool in_body = false, over = false;
  BufChain in;
  std::string log, data;

  explicit Client(l7::http::Method m) : method(m) {}

  void check() {
    fuzz::require(head.status >= 100 && head.status <= 599, "the status is a status");
    fuzz::require(fuzz::inside(head.reason, storage.bytes()), "the reason lies in the storage");
    for (const auto& f : head.fields) {
      fuzz::require(fuzz::inside(f.name, storage.bytes()) && fuzz::inside(f.value, storage.bytes()),
                    "fields lie in the storage");
    }
    using Kind = l7::http::Framing::Kind;
    fuzz::require(
        !head.keep_alive || (head.framing.kind != Kind::kUntilClose && head.framing.kind != Kind::kTunnel),
        "a connection without an end of message is not used again");
  }

  /// False: waits for more.
  bool step() {
    if (in_body) {
      BufChain out;
      const auto s = body.decode(in, out, test::buffers());
      data += out.to_string();
      over = s == l7::http1::BodyDecoder::Status::kError || s == l7::http1::BodyDecoder::Status::kNoMemory;
      in_body = s != l7::http1::BodyDecoder::Status::kDone;
      return !in_body && !over;
    }
    const auto r = parser.parse(in, method, storage, head, test::buffers());
    if (r.status == l7::http1::ParseStatus::kNeedMore) return false;
    over = r.status == l7::http1::ParseStatus::kError;
    if (over) {
      log += std::string(r.reason);
      fuzz::require(r.http_status == 502, "a bad answer is a bad gateway");
      return false;
    }
    check();
    log += describe(head) + "\n";
    body.start(head.framing);
    in_body = true;
    return true;
  }
};

std::string transcript(std::string_view text, std::uint32_t seed, l7::http::Method method) {
  Client client(method);
  for (BufChain& piece : fuzz::cut(text, seed)) {
    client.in.append(std::move(piece));
    while (!client.over && client.step()) {
    }
  }
  if (client.in_body)
    client.log += client.body.finish() == l7::http1::BodyDecoder::Status::kDone ? "end" : "cut short";
  return client.log + "|" + client.data + "|" + std::string(client.body.reason());
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char*** argv) {
  test::start_eal((*argv)[0]);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  const auto method = input.seed % 8 == 0   ? l7::http::Method::kHead
                      : input.seed % 8 == 1 ? l7::http::Method::kConnect
                                            : l7::http::Method::kGet;
  const std::size_t free_before = test::free_buffers();
  const std::string whole = transcript(input.text, 0, method);
  fuzz::require(transcript(input.text, input.seed, method) == whole, "the cut makes no difference");
  fuzz::require(test::free_buffers() == free_before, "no buffer leaks");
  return 0;
}
