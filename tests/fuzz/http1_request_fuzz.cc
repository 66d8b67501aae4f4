// SPDX-License-Identifier: Apache-2.0
#include "l7/http1/body.h"
#include "l7/http1/parser.h"
#include "l7/http1/writer.h"
#include "tests/fuzz/http1_feed.h"
#include "tests/unit/l7_http/describe.h"

// A connection full of requests: heads and bodies, as a server reads them. However the bytes are cut, the
// same requests come out; every view lies in the storage; what was parsed can be written and is parsed to the
// same again.
namespace {

using namespace sluice;
using l7::http1::test::describe;

void check_views(const l7::http::RequestHead& h, std::span<const std::uint8_t> storage) {
  for (const auto view : {h.method_text, h.target, h.query, h.authority, h.host}) {
    fuzz::require(fuzz::inside(view, storage), "views lie in the storage");
  }
  fuzz::require(h.path == "/" || h.path == "*" || fuzz::inside(h.path, storage),
                "the path lies in the storage");
  for (const auto& f : h.fields) {
    fuzz::require(fuzz::inside(f.name, storage) && fuzz::inside(f.value, storage),
                  "fields lie in the storage");
    fuzz::require(!f.name.empty(), "names are not empty");
  }
}

void check_round_trip(const l7::http::RequestHead& h) {
  if (h.version != l7::http::Version::kHttp11) return;  // the writer writes HTTP/1.1 only
  BufChain wire;
  l7::http1::HeadWriter writer(wire, test::buffers());
  writer.request_line(h.method_text, h.target);
  for (const auto& f : h.fields) writer.pass(f);
  fuzz::require(writer.finish(), "what was parsed can be written");
  l7::http1::RequestParser parser((l7::http1::Limits()));
  l7::http1::HeadStorage storage;
  l7::http::RequestHead again;
  const auto r = parser.parse(wire, storage, again, test::buffers());
  fuzz::require(r.status == l7::http1::ParseStatus::kComplete, "what was written can be parsed");
  fuzz::require(describe(again) == describe(h) && wire.empty(), "to the same");
}

struct Server {
  l7::http1::RequestParser parser;
  l7::http1::HeadStorage storage;
  l7::http::RequestHead head;
  l7::http1::BodyDecoder body;
  bool in_body = false, over = false;
  BufChain in;
  std::string log, data;

  explicit Server(const l7::http1::Limits& limits) : parser(limits) {}

  void step_body() {
    BufChain out;
    const auto s = body.decode(in, out, test::buffers());
    data += out.to_string();
    over = s == l7::http1::BodyDecoder::Status::kError || s == l7::http1::BodyDecoder::Status::kNoMemory;
    if (over) log += "body error " + std::string(body.reason());
    if (s == l7::http1::BodyDecoder::Status::kDone) {
      log += data + "\n" + std::string(body.trailers()) + "\n";
      data.clear();
      in_body = false;
    }
  }

  /// False: waits for more.
  bool step() {
    if (in_body) {
      step_body();
      return !in_body && !over;
    }
    const auto r = parser.parse(in, storage, head, test::buffers());
    if (r.status == l7::http1::ParseStatus::kNeedMore) return false;
    if (r.status == l7::http1::ParseStatus::kError) {
      log += std::to_string(r.http_status) + std::string(r.reason);
      over = true;
      return false;
    }
    check_views(head, storage.bytes());
    check_round_trip(head);
    log += describe(head) + "\n";
    body.start(head.framing);
    in_body = true;
    return true;
  }
};

std::string transcript(std::string_view text, std::uint32_t seed, const l7::http1::Limits& limits) {
  Server server(limits);
  for (BufChain& piece : fuzz::cut(text, seed)) {
    server.in.append(std::move(piece));
    while (!server.over && server.step()) {
    }
  }
  return server.log + "|" + server.data;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char*** argv) {
  test::start_eal((*argv)[0]);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  l7::http1::Limits limits;
  if (input.seed % 4 == 0) limits = {48, 160, 4};  // within reach of small inputs
  const std::size_t free_before = test::free_buffers();
  const std::string whole = transcript(input.text, 0, limits);
  fuzz::require(transcript(input.text, input.seed, limits) == whole, "the cut makes no difference");
  fuzz::require(test::free_buffers() == free_before, "no buffer leaks");
  return 0;
}
