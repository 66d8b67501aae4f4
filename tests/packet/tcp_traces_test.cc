// SPDX-License-Identifier: Apache-2.0
// The scripts of traces/: every arrival case of RFC 9293, 3.10.7. The kernel's TCP runs them too
// (kernel/oracle.py).
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

struct Trace {
  std::string file, name;
  std::vector<std::string> lines;
};

void PrintTo(const Trace& t, std::ostream* out) { *out << t.name; }

std::vector<Trace> read_traces() {
  std::vector<Trace> out;
  std::vector<std::filesystem::path> files;
  for (const auto& e : std::filesystem::directory_iterator(SLUICE_TRACES)) {
    if (e.path().extension() == ".trace") files.push_back(e.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) {
      if (line.empty() || line[0] == '#') continue;
      if (line.starts_with("== ")) {
        out.push_back({path.stem(), line.substr(3), {}});
      } else {
        out.back().lines.push_back(line);
      }
    }
  }
  return out;
}

std::string test_name(const testing::TestParamInfo<Trace>& info) {
  std::string name = info.param.file + "_" + info.param.name;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

Duration time_of(const std::string& text) {
  std::size_t end = 0;
  const long n = std::stol(text, &end);
  return text.substr(end) == "s" ? Duration(std::chrono::seconds(n)) : std::chrono::milliseconds(n);
}

class TcpTraces : public TcpScript, public testing::WithParamInterface<Trace> {
 protected:
  void run(const std::string& line) {
    SCOPED_TRACE(line);
    const auto space = line.find(' ');
    const std::string word = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (word == "ours") return run(rest);
    if (word == "kernel" || word == "difference" || word == "listen") return;
    if (word == "peer") return from_peer(rest);
    if (word == "stack") return expect(rest);
    if (word.starts_with("stack@")) return expect_at(time_of(word.substr(6)), rest);
    if (word == "nothing") return expect_nothing();
    if (word == "forget") return forget_peer();
    if (word == "at") return at(time_of(rest));
    if (word == "user") return expect_event(rest);
    call(word, rest);
  }

 private:
  void from_peer(const std::string& rest) {
    const auto quote = rest.find('"');
    const std::string text =
        quote == std::string::npos ? "" : rest.substr(quote + 1, rest.size() - quote - 2);
    send(rest.substr(0, quote), text);
  }
  void expect_event(const std::string& event) {
    ASSERT_LT(events_, user().log.size()) << "not told: " << event;
    EXPECT_EQ(user().log[events_++], event);
  }
  void call(const std::string& word, const std::string& rest) {
    if (word == "closed") {
      listening = false;
    } else if (word == "connect") {
      connect();
    } else if (word == "established") {
      establish(rest.empty() ? "<mss 1000>" : rest);
    } else if (word == "send") {
      user_sends(rest.substr(1, rest.size() - 2));
    } else if (word == "shutdown") {
      user_shuts_down();
    } else if (word == "abort") {
      user_aborts();
    } else {
      FAIL() << "no such line";
    }
  }
  std::size_t events_ = 0;
};

TEST_P(TcpTraces, run) {
  for (const std::string& line : GetParam().lines) {
    run(line);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Rfc9293, TcpTraces, testing::ValuesIn(read_traces()), test_name);

}  // namespace
}  // namespace sluice::test
