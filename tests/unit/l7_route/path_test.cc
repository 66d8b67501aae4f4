// SPDX-License-Identifier: Apache-2.0
#include "l7/route/path.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::l7::route {
namespace {

std::string normal(std::string_view path) {
  char buffer[kMaxPath];
  const NormalPath out = normalise_path(path, buffer);
  switch (out.error) {
    case PathError::kNone:
      return std::string(out.path);
    case PathError::kBadEncoding:
      return "bad encoding";
    case PathError::kNul:
      return "nul";
    case PathError::kTooLong:
      return "too long";
    case PathError::kNotAbsolute:
      return "not absolute";
  }
  return "?";
}

TEST(NormalPath, ANormalPathIsReturnedWithoutACopy) {
  char buffer[1];
  const std::string_view path = "/a/b.c/~d//e-f_g:h@!$&'()*+,;=";
  const NormalPath out = normalise_path(path, buffer);
  EXPECT_EQ(out.error, PathError::kNone);
  EXPECT_EQ(out.path.data(), path.data());
  EXPECT_EQ(out.path, path);
}

TEST(NormalPath, EncodedUnreservedCharactersAreDecoded) {
  EXPECT_EQ(normal("/%61dmin"), "/admin");
  EXPECT_EQ(normal("/%41%5a%30%39%2D%2e%5F%7e"), "/AZ09-._~");
}

TEST(NormalPath, DecodesOnceOnly) {
  EXPECT_EQ(normal("/%2561dmin"), "/%2561dmin");
  EXPECT_EQ(normal("/%252e%252e/x"), "/%252e%252e/x");
}

TEST(NormalPath, OtherEncodingsStayInUpperCase) {
  EXPECT_EQ(normal("/a%2fb%3Ac%c3%a9%0a%5c%20"), "/a%2Fb%3Ac%C3%A9%0A%5C%20");
}

TEST(NormalPath, DotSegmentsAreResolved) {
  EXPECT_EQ(normal("/x/../admin"), "/admin");
  EXPECT_EQ(normal("/./admin/./x"), "/admin/x");
  EXPECT_EQ(normal("/a/b/c/./../../g"), "/a/g");
  EXPECT_EQ(normal("/a/b/.."), "/a/");
  EXPECT_EQ(normal("/a/b/."), "/a/b/");
  EXPECT_EQ(normal("/.."), "/");
  EXPECT_EQ(normal("/."), "/");
  EXPECT_EQ(normal("/../../a"), "/a");
  EXPECT_EQ(normal("/a/../.."), "/");
}

TEST(NormalPath, EncodedDotSegmentsAreResolvedToo) {
  EXPECT_EQ(normal("/x/%2e%2E/admin"), "/admin");
  EXPECT_EQ(normal("/x/.%2e/admin"), "/admin");
  EXPECT_EQ(normal("/%2e/admin"), "/admin");
}

TEST(NormalPath, SegmentsThatOnlyBeginWithDotsStay) {
  EXPECT_EQ(normal("/.well-known/a"), "/.well-known/a");
  EXPECT_EQ(normal("/.../..a/a../.a."), "/.../..a/a../.a.");
}

TEST(NormalPath, DuplicateSlashesStayAndAreSegments) {
  EXPECT_EQ(normal("//a//b/"), "//a//b/");
  EXPECT_EQ(normal("//../a"), "/a");
  EXPECT_EQ(normal("/a//../b"), "/a/b");
}

TEST(NormalPath, InvalidEncodingIsRefused) {
  for (const char* path : {"/%", "/%4", "/%zz", "/%4g", "/%g4", "/a%%41", "/%u0041", "/% 1"}) {
    EXPECT_EQ(normal(path), "bad encoding") << path;
  }
}

TEST(NormalPath, NulIsRefused) {
  EXPECT_EQ(normal("/a%00b"), "nul");
  EXPECT_EQ(normal(std::string_view("/a\0b", 4)), "nul");
}

TEST(NormalPath, EmptyIsTheRootAndAsteriskStays) {
  EXPECT_EQ(normal(""), "/");
  EXPECT_EQ(normal("*"), "*");
  EXPECT_EQ(normal("admin"), "not absolute");
  EXPECT_EQ(normal("**"), "not absolute");
}

TEST(NormalPath, LengthIsBounded) {
  EXPECT_EQ(normal("/" + std::string(kMaxPath - 1, 'a')), "/" + std::string(kMaxPath - 1, 'a'));
  EXPECT_EQ(normal("/" + std::string(kMaxPath, 'a')), "too long");
  char small[4];
  EXPECT_EQ(normalise_path("/%61bc", small).error, PathError::kTooLong);
}

TEST(NormalPath, NormalisingTwiceChangesNothing) {
  // Every path of five characters from those that matter.
  const std::string alphabet = "/.%2ea";
  for (int n = 0; n < 6 * 6 * 6 * 6 * 6 * 6; ++n) {
    std::string path = "/";
    for (int i = 0, rest = n; i < 6; ++i, rest /= 6) path += alphabet[static_cast<std::size_t>(rest % 6)];
    const std::string once = normal(path);
    if (!once.starts_with('/')) continue;
    ASSERT_EQ(normal(once), once) << path;
    ASSERT_EQ((once + "/").find("/../"), std::string::npos) << path;
    ASSERT_EQ((once + "/").find("/./"), std::string::npos) << path;
    ASSERT_LE(once.size(), path.size());
  }
}

}  // namespace
}  // namespace sluice::l7::route
