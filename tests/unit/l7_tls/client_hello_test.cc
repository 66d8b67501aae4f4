// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/client_hello.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <string>

#include "l7/tls/openssl_util.h"
#include "tests/support/eal.h"

namespace sluice::l7::tls {
namespace {

using Result = ClientHello::Result;

std::string number(std::size_t n, std::size_t width) {
  std::string out;
  while (width-- > 0) out += static_cast<char>(n >> 8 * width);
  return out;
}

std::string vector_of(std::size_t width, const std::string& body) { return number(body.size(), width) + body; }

std::string record(const std::string& body, std::uint8_t type = 22) {
  return static_cast<char>(type) + std::string("\x03\x01", 2) + vector_of(2, body);
}

std::string extension(std::uint16_t type, const std::string& body) { return number(type, 2) + vector_of(2, body); }

std::string name_extension(const std::string& name) {
  return extension(0, vector_of(2, std::string(1, '\0') + vector_of(2, name)));
}

std::string message(const std::string& body, std::uint8_t type = 1) { return static_cast<char>(type) + vector_of(3, body); }

std::string hello_body(const std::string& extensions) {
  return std::string("\x03\x03", 2) + std::string(32, 'r') + vector_of(1, "session") + vector_of(2, std::string("\x13\x01", 2)) +
         vector_of(1, std::string(1, '\0')) + vector_of(2, extensions);
}

ClientHello read(const std::string& bytes, std::size_t segment = 1400) {
  return read_client_hello(test::chain_of(bytes, segment));
}

/// What OpenSSL's client sends.
std::string real_hello(const char* name, bool old = false) {
  SslCtxPtr context(SSL_CTX_new(TLS_client_method()));
  if (old) SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
  SslPtr ssl(SSL_new(context.get()));
  if (name != nullptr) SSL_set_tlsext_host_name(ssl.get(), name);
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), out);
  SSL_connect(ssl.get());
  char* bytes = nullptr;
  const long n = BIO_get_mem_data(out, &bytes);
  return {bytes, static_cast<std::size_t>(n)};
}

TEST(ClientHello, TheNameOfARealOneIsReadHoweverItIsCutIntoSegments) {
  for (const bool old : {false, true}) {
    const std::string hello = real_hello("Shop.Example", old);
    for (const std::size_t segment : {1u, 7u, 1400u}) {
      const ClientHello got = read(hello, segment);
      EXPECT_EQ(got.result, Result::kDone);
      EXPECT_EQ(got.server_name, "shop.example");
    }
  }
}

TEST(ClientHello, AndHoweverItIsCutIntoRecords) {
  const std::string whole = message(hello_body(name_extension("a.example")));
  for (const std::size_t size : {2u, 3u, 50u}) {
    std::string cut;
    for (std::size_t at = 0; at < whole.size(); at += size) cut += record(whole.substr(at, size));
    const ClientHello got = read(cut);
    EXPECT_EQ(got.result, Result::kDone) << size;
    EXPECT_EQ(got.server_name, "a.example");
  }
}

TEST(ClientHello, EachPrefixNeedsMoreAndSaysHowMuch) {
  const std::string hello = real_hello("shop.example");
  for (std::size_t n = 0; n < hello.size(); ++n) {
    const ClientHello got = read(hello.substr(0, n));
    ASSERT_EQ(got.result, Result::kNeedMore) << n;
    ASSERT_GT(got.wanted, n);
    ASSERT_LE(got.wanted, hello.size());
  }
}

TEST(ClientHello, WhatFollowsItsRecordIsNotLookedAt) {
  EXPECT_EQ(read(record(message(hello_body(name_extension("a.example")))) + "early data, or anything").server_name, "a.example");
}

TEST(ClientHello, WithoutANameThereIsNone) {
  for (const std::string& hello : {real_hello(nullptr), record(message(hello_body(extension(0x0a0a, "x")))),
                                   record(message(hello_body("").substr(0, hello_body("").size() - 2)))}) {
    const ClientHello got = read(hello);
    EXPECT_EQ(got.result, Result::kDone);
    EXPECT_EQ(got.server_name, "");
  }
}

TEST(ClientHello, ADotAtTheEndMeansNothing) {
  EXPECT_EQ(read(record(message(hello_body(name_extension("a.example."))))).server_name, "a.example");
}

TEST(ClientHello, MalformedOnesAreRefused) {
  const std::string two_names =
      extension(0, vector_of(2, std::string(1, '\0') + vector_of(2, "a") + std::string(1, '\0') + vector_of(2, "b")));
  const std::string bad[] = {
      name_extension(""), name_extension("a b"), name_extension(std::string("a\0b", 3)), name_extension(std::string(254, 'a')),
      name_extension("a") + name_extension("b"), two_names, extension(0, ""), extension(0, vector_of(2, "")),
      extension(0, vector_of(2, std::string(1, '\0') + number(9, 2) + "short")), name_extension("a").substr(0, 6)};
  for (const std::string& extensions : bad) EXPECT_EQ(read(record(message(hello_body(extensions)))).result, Result::kMalformed);
  EXPECT_EQ(read(record(message("short"))).result, Result::kMalformed);
  EXPECT_EQ(read(record(message(hello_body("") + "x"))).result, Result::kMalformed);
}

TEST(ClientHello, OtherMessagesAndOtherProtocolsAreUnexpected) {
  for (const std::string& bytes : {std::string("GET / HTTP/1.1\r\n\r\n"), record(message("x", 2)), record(message("x"), 21),
                                   record(""), record(message(hello_body("")) + "more in it")}) {
    EXPECT_EQ(read(bytes).result, Result::kUnexpected);
  }
}

TEST(ClientHello, SizeAndNumberOfRecordsAreBounded) {
  const std::string large = message(hello_body(extension(21, std::string(15'000, '\0')) + name_extension("a.example")));
  EXPECT_EQ(read(record(large)).server_name, "a.example");
  EXPECT_EQ(read(record(message(std::string(kMaxClientHello + 1, 'x')).substr(0, 100))).result, Result::kTooLong);
  EXPECT_EQ(read(std::string("\x16\x03\x01\x40\x01", 5)).result, Result::kTooLong);
  std::string many;
  for (const char c : message(hello_body(name_extension("a.example")))) many += record(std::string(1, c));
  EXPECT_EQ(read(many).result, Result::kTooLong);
}

}  // namespace
}  // namespace sluice::l7::tls
