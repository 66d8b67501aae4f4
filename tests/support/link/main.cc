// SPDX-License-Identifier: Apache-2.0
// A link with faults between two interfaces of this network namespace (ends of veth pairs, or TAP devices):
//
//   link A B [NAME=VALUE...] [a.NAME=VALUE...] [b.NAME=VALUE...]
//
// carries whole Ethernet frames from A to B and back. Names are those of link.h; with a. they hold for what
// comes in at A only, with b. for what comes in at B. Prints "ready"; on SIGTERM or SIGINT what it did, and
// ends. The two hosts must not use checksum or segmentation offloads: what passes here is what was on the
// wire.
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <net/ethernet.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/support/link/link.h"

namespace {

using namespace sluice::test::link;

volatile std::sig_atomic_t stop = 0;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "link: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

/// A raw socket on one interface that sees what arrives there and not what leaves.
int open_interface(const char* name) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
  if (fd < 0) die("socket");
  const int on = 1, room = 64 << 20;
  if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0) die("PACKET_IGNORE_OUTGOING");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0) die("SO_RCVBUFFORCE");
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0) die("SO_SNDBUFFORCE");
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ETH_P_ALL);
  at.sll_ifindex = static_cast<int>(if_nametoindex(name));
  if (at.sll_ifindex == 0) die(name);
  packet_mreq all{};
  all.mr_ifindex = at.sll_ifindex;
  all.mr_type = PACKET_MR_PROMISC;
  if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) != 0) die("promiscuous mode");
  if (bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) die("bind");
  return fd;
}

struct End {
  int fd;
  Direction in;
};

Time clock_now() {
  return std::chrono::duration_cast<Time>(std::chrono::steady_clock::now().time_since_epoch());
}

void receive(End& end, Time now) {
  std::array<std::uint8_t, 65536> bytes;
  for (int i = 0; i < 64; ++i) {
    const ssize_t n = recv(end.fd, bytes.data(), bytes.size(), 0);
    if (n <= 0) return;
    end.in.put({bytes.data(), static_cast<std::size_t>(n)}, now);
  }
}

void deliver(Direction& from, int to, Time now) {
  while (const auto frame = from.take(now)) {
    // An interface that is down or full drops: so do links.
    if (send(to, frame->data(), frame->size(), 0) < 0 && errno == EBADF) die("send");
  }
}

void print(const char* name, const Direction& d) {
  std::printf("%s", name);
  for (std::size_t i = 0; i < kFateNames.size(); ++i) {
    std::printf(" %s %zu", std::string(kFateNames[i]).c_str(), d.count(static_cast<Fate>(i)));
  }
  std::printf("\n");
}

void run(End& a, End& b) {
  const Time start = clock_now();
  std::printf("ready\n");
  std::fflush(stdout);
  while (stop == 0) {
    timespec wait{1, 0};
    for (const End* end : {&a, &b}) {
      const auto next = end->in.next();
      if (!next) continue;
      const Time left = std::max(Time(0), *next - (clock_now() - start));
      if (left < std::chrono::seconds(wait.tv_sec) + Time(wait.tv_nsec)) wait = {0, left.count()};
    }
    std::array<pollfd, 2> ready{pollfd{a.fd, POLLIN, 0}, pollfd{b.fd, POLLIN, 0}};
    ppoll(ready.data(), ready.size(), &wait, nullptr);
    const Time now = clock_now() - start;
    receive(a, now);
    receive(b, now);
    deliver(a.in, b.fd, now);
    deliver(b.in, a.fd, now);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: link A B [NAME=VALUE...]\n");
    return 2;
  }
  Impairments from_a, from_b;
  bool understood = true;
  for (int i = 3; i < argc; ++i) {
    std::string_view word(argv[i]);
    const bool only_a = word.starts_with("a."), only_b = word.starts_with("b.");
    if (only_a || only_b) word.remove_prefix(2);
    understood = (only_b || from_a.set(word)) && (only_a || from_b.set(word));
    if (!understood) {
      std::fprintf(stderr, "link: %s: not understood\n", argv[i]);
      return 2;
    }
  }
  from_b.seed += 1;  // the two directions differ
  std::signal(SIGTERM, [](int) { stop = 1; });
  std::signal(SIGINT, [](int) { stop = 1; });
  End a{open_interface(argv[1]), Direction(from_a)};
  End b{open_interface(argv[2]), Direction(from_b)};
  run(a, b);
  print("a", a.in);
  print("b", b.in);
  return 0;
}
