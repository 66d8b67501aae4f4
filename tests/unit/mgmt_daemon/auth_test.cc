// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "mgmt/rest/api_certificate.h"
#include "mgmt/rest/certificate_facts.h"
#include "tests/unit/mgmt_config/samples.h"
#include "mgmt/store/file.h"

namespace sluice::mgmt::rest {
namespace {

using test::TempFolder;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kSecret = "correct-horse-battery";
// sha256 of "correct-horse-battery-2", made with sha256sum.
constexpr const char* kHash = "b3f2b31f87a5b0ded667fbbde3e4411265629b2e9907ac2918bbd8f0ca1e38ec";

mode_t mode_of(const std::string& path) {
  struct stat s {};
  return stat(path.c_str(), &s) == 0 ? s.st_mode & 0777 : 0;
}

TEST(Tokens, lines_give_names_and_roles_and_hashes_work_as_well_as_secrets) {
  Tokens t;
  ASSERT_TRUE(t.load_text(std::string("# people\nalice admin ") + kSecret +
                              "\n\n  bob\tviewer sha256:" + kHash + "  # by hash\n",
                          "f")
                  .ok());
  EXPECT_EQ(t.identify(kSecret)->name, "alice");
  EXPECT_EQ(t.identify(kSecret)->role, Role::kAdmin);
  EXPECT_EQ(t.identify("correct-horse-battery-2")->name, "bob");
  EXPECT_EQ(t.identify("correct-horse-battery-2")->role, Role::kViewer);
  EXPECT_FALSE(t.identify("correct-horse-battery-3"));
  EXPECT_FALSE(t.identify(""));
  EXPECT_FALSE(t.identify(std::string("sha256:") + kHash)) << "the hash is no token";
}

TEST(Tokens, errors_name_the_line_and_never_the_token) {
  const auto error = [](const std::string& text) {
    Tokens t;
    const Status s = t.load_text(text, "f");
    return s.ok() ? std::string("none") : s.error().message;
  };
  EXPECT_EQ(error("a admin\n"), "f:1: expected three words: name, role, token");
  EXPECT_EQ(error("\na root 0123456789abcdef\n"), "f:2: role: expected admin or viewer");
  EXPECT_EQ(error("a admin short\n"), "f:1: token: expected 16 characters at least");
  EXPECT_EQ(error("a admin sha256:12zz\n"), "f:1: token: expected 64 hex digits after sha256:");
  EXPECT_EQ(error("a admin 0123456789abcdef more\n"), "f:1: expected three words: name, role, token");
  EXPECT_EQ(error("# nobody\n"), "f: holds no token");
}

TEST(Tokens, a_wrong_file_leaves_the_tokens_as_they_were) {
  Tokens t;
  ASSERT_TRUE(t.load_text(std::string("alice admin ") + kSecret, "f").ok());
  EXPECT_FALSE(t.load_text("alice admin", "f").ok());
  EXPECT_FALSE(t.load_file("/nonexistent/tokens").ok());
  EXPECT_TRUE(t.identify(kSecret));
}

TEST(Tokens, the_admin_token_is_made_once_for_its_owner_only) {
  const TempFolder folder;
  const std::string path = folder.path() + "/admin.token";
  Tokens t;
  ASSERT_TRUE(t.load_or_create_admin(path).ok());
  EXPECT_EQ(mode_of(path), 0600u);
  std::string token, again;
  std::ifstream(path) >> token;
  EXPECT_EQ(token.size(), 64u);
  ASSERT_TRUE(t.identify(token));
  EXPECT_EQ(t.identify(token)->role, Role::kAdmin);
  ASSERT_TRUE(t.load_or_create_admin(path).ok());
  std::ifstream(path) >> again;
  EXPECT_EQ(token, again);
  std::ofstream(path) << "";
  EXPECT_FALSE(t.load_or_create_admin(path).ok()) << "an empty file is no password-less login";
}

TEST(ApiCertificate, is_made_once_and_covers_the_loopback_and_its_address) {
  const TempFolder folder;
  const std::string cert = folder.path() + "/api.crt", key = folder.path() + "/api.key";
  ASSERT_TRUE(ensure_api_certificate(cert, key, "192.0.2.9").ok());
  EXPECT_EQ(mode_of(key), 0600u);
  const std::string first = *store::read_file(cert);
  const auto facts = certificate_facts(first);
  ASSERT_TRUE(facts);
  EXPECT_THAT(facts->names, testing::IsSupersetOf({"localhost", "127.0.0.1", "::1", "192.0.2.9"}));
  EXPECT_GT(facts->not_after, time(nullptr) + 365 * 86400);
  ASSERT_TRUE(ensure_api_certificate(cert, key, "192.0.2.9").ok());
  EXPECT_EQ(*store::read_file(cert), first) << "kept over restarts";
  ASSERT_TRUE(ensure_api_certificate(cert, key, "192.0.2.10").ok());
  EXPECT_NE(*store::read_file(cert), first) << "another address needs another certificate";
}

TEST(WriteFile, replaces_whole_files_and_names_the_path_of_a_failure) {
  const TempFolder folder;
  const std::string path = folder.path() + "/f";
  ASSERT_TRUE(store::write_file(path, "one", 0600).ok());
  ASSERT_TRUE(store::write_file(path, "two", 0600).ok());
  EXPECT_EQ(*store::read_file(path), "two");
  EXPECT_THAT(store::write_file("/nonexistent/f", "x", 0600).error().message, HasSubstr("/nonexistent/f"));
}

}  // namespace
}  // namespace sluice::mgmt::rest
