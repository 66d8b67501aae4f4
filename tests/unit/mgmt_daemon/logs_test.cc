// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "mgmt/daemon/access_log.h"
#include "mgmt/daemon/json_text.h"
#include "mgmt/daemon/line_file.h"
#include "tests/unit/mgmt_config/samples.h"

namespace sluice::mgmt::daemon {
namespace {

using nlohmann::json;

std::string as_json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(JsonText, escapes_what_must_be_escaped_and_keeps_valid_utf8) {
  EXPECT_EQ(as_json("plain"), "\"plain\"");
  EXPECT_EQ(as_json("a\"b\\c\n\r\t\x01\x7f"), "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u007f\"");
  EXPECT_EQ(as_json("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8a"),
            "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8a\"");
}

TEST(JsonText, each_byte_outside_of_utf8_is_escaped_with_its_value) {
  EXPECT_EQ(as_json("\xff"), "\"\\u00ff\"");
  EXPECT_EQ(as_json("a\xc3"), "\"a\\u00c3\"") << "cut in the middle";
  EXPECT_EQ(as_json("\xc0\xaf"), "\"\\u00c0\\u00af\"") << "overlong";
  EXPECT_EQ(as_json("\xed\xa0\x80"), "\"\\u00ed\\u00a0\\u0080\"") << "surrogate";
  EXPECT_EQ(as_json("\xf4\x90\x80\x80"), "\"\\u00f4\\u0090\\u0080\\u0080\"") << "beyond U+10FFFF";
}

TEST(JsonText, any_pair_of_bytes_gives_valid_json) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string text = {static_cast<char>(a), static_cast<char>(b)};
      ASSERT_TRUE(json::accept(as_json(text))) << a << " " << b;
    }
  }
}

l7::AccessRecord record() {
  l7::AccessRecord r;
  r.duration_ns = 12'345'678;
  r.client = {*IpAddr::parse("198.51.100.7"), 4711};
  r.vip = {*IpAddr::parse("2001:db8::1"), 443};
  r.upstream = {*IpAddr::parse("10.0.0.5"), 8080};
  r.status = 200;
  r.upstream_attempts = 1;
  r.tls = true;
  r.request_bytes = 5;
  r.response_bytes = 1u << 31;
  r.method.assign("GET");
  r.host.assign("shop.example");
  r.path.assign("/a?b=\"c\"\n\xff");
  r.request_id.assign("id-1");
  r.listener.assign("web");
  r.rule.assign("");
  r.group.assign("");
  r.tls_version.assign("1.3");
  r.user_agent.assign("");
  r.error.assign("");
  return r;
}

TEST(AccessLog, a_line_is_one_json_object_whatever_the_client_sent) {
  std::string line;
  append_access_line(line, record(), 1'700'000'000'123);
  ASSERT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  const json o = json::parse(line);
  EXPECT_EQ(o["time"], "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(o["client"], "198.51.100.7:4711");
  EXPECT_EQ(o["vip"], "[2001:db8::1]:443");
  EXPECT_EQ(o["upstream"], "10.0.0.5:8080");
  EXPECT_EQ(o["status"], 200);
  EXPECT_EQ(o["duration_ms"], 12.345);
  EXPECT_EQ(o["response_bytes"], 1u << 31);
  EXPECT_EQ(o["path"], "/a?b=\"c\"\n\u00ff");
  EXPECT_EQ(o["tls"], true);
  for (const char* absent : {"rule", "user_agent", "error", "upstream_connect_ms", "truncated"})
    EXPECT_FALSE(o.contains(absent)) << absent;
}

TEST(AccessLog, a_client_that_left_is_499_and_a_cut_text_is_marked) {
  l7::AccessRecord r = record();
  r.status = 0;
  r.upstream.port = 0;
  r.path.assign(std::string(1000, '\xc3'));
  std::string line;
  append_access_line(line, r, 0);
  const json o = json::parse(line);
  EXPECT_EQ(o["status"], 499);
  EXPECT_EQ(o["truncated"], true);
  EXPECT_FALSE(o.contains("upstream"));
}

std::string content(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(LineFile, goes_on_in_a_new_file_after_rotation) {
  const test::TempFolder folder;
  const std::string path = folder.path() + "/log";
  LineFile file(path);
  ASSERT_TRUE(file.open().ok());
  file.add("one\n");
  ASSERT_EQ(std::rename(path.c_str(), (path + ".1").c_str()), 0);
  file.request_reopen();
  file.add("two\n");
  file.flush();
  EXPECT_EQ(content(path + ".1"), "one\n") << "what was added before belongs to the old file";
  EXPECT_EQ(content(path), "two\n");
  EXPECT_EQ(file.written(), 2u);
  EXPECT_EQ(file.lost(), 0u);
}

TEST(LineFile, a_full_disk_costs_lines_and_counts_them) {
  LineFile file("/dev/full");
  ASSERT_TRUE(file.open().ok());
  for (int i = 0; i < 10000; ++i) file.add("a line that goes nowhere\n");
  file.flush();
  EXPECT_EQ(file.lost(), 10000u);
  EXPECT_EQ(file.written(), 0u);
  EXPECT_EQ(file.last_error(), ENOSPC);
}

TEST(LineFile, a_file_that_cannot_grow_has_whole_lines_only_and_goes_on_later) {
  std::signal(SIGXFSZ, SIG_IGN);
  const test::TempFolder folder;
  const std::string path = folder.path() + "/log";
  LineFile file(path);
  ASSERT_TRUE(file.open().ok());
  rlimit before{}, small{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = 25;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  for (int i = 0; i < 5; ++i) file.add("0123456789\n");
  file.flush();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(file.lost(), 2u) << "25 bytes hold two lines and the beginning of a third";
  file.add("after\n");
  file.flush();
  EXPECT_EQ(content(path), "0123456789\n0123456789\n0123456789\nafter\n");
  EXPECT_EQ(file.written(), 4u);
  EXPECT_EQ(file.last_error(), 0);
}

TEST(LineFile, a_reader_that_went_away_costs_lines_only) {
  std::signal(SIGPIPE, SIG_IGN);
  const test::TempFolder folder;
  const std::string path = folder.path() + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  LineFile file(path);
  ASSERT_TRUE(file.open().ok());
  file.add("heard\n");
  file.flush();
  close(reader);
  file.add("unheard\n");
  file.flush();
  EXPECT_EQ(file.written(), 1u);
  EXPECT_EQ(file.lost(), 1u);
  EXPECT_EQ(file.last_error(), EPIPE);
}

TEST(LineFile, a_folder_that_is_missing_is_an_error_with_the_path) {
  LineFile file("/nonexistent/log");
  const Status s = file.open();
  ASSERT_FALSE(s.ok());
  EXPECT_THAT(s.error().message, testing::HasSubstr("/nonexistent/log"));
}

}  // namespace
}  // namespace sluice::mgmt::daemon
