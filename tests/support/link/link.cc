// SPDX-License-Identifier: Apache-2.0
#include "tests/support/link/link.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace sluice::test::link {
namespace {

constexpr std::size_t kEthernetHeader = 14;

/// A number, and its unit out of `units` as a factor. Empty: neither fits.
std::optional<double> number(std::string_view text,
                             std::initializer_list<std::pair<std::string_view, double>> units) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const auto& [name, factor] : units) {
    if (unit == name) return value * factor;
  }
  return std::nullopt;
}

std::optional<Time> time_of(std::string_view text) {
  const auto ns = number(text, {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}});
  if (!ns) return std::nullopt;
  return Time(static_cast<Time::rep>(*ns));
}

std::optional<double> probability(std::string_view text) {
  const auto p = number(text, {{"", 1}, {"%", 0.01}});
  return p && *p <= 1 ? p : std::nullopt;
}

template <class T, class V>
bool assign(T& to, const std::optional<V>& value) {
  if (value) to = static_cast<T>(*value);
  return value.has_value();
}

/// Turns ECT into CE. False: the packet is none that may be marked.
bool mark_ce(Frame& frame) {
  constexpr std::size_t kIpv4Header = 20;
  if (frame.size() < kEthernetHeader + kIpv4Header) return false;
  std::uint8_t* ip = frame.data() + kEthernetHeader;
  const bool v4 = ip[0] >> 4 == 4;
  std::uint8_t& field = ip[1];
  const unsigned shift = v4 ? 0 : 4;  // IPv6: the traffic class is in the middle of the first four bytes
  if ((field >> shift & 3) == 0) return false;
  field |= static_cast<std::uint8_t>(3 << shift);
  if (!v4) return true;
  ip[10] = ip[11] = 0;
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(ip[0] & 15) * 4; i += 2) sum += ip[i] << 8 | ip[i + 1];
  sum = (sum & 0xffff) + (sum >> 16);
  sum = ~(sum + (sum >> 16));
  ip[10] = static_cast<std::uint8_t>(sum >> 8);
  ip[11] = static_cast<std::uint8_t>(sum);
  return true;
}

}  // namespace

bool Impairments::set(std::string_view word) {
  const auto equals = word.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = word.substr(0, equals), value = word.substr(equals + 1);
  const auto comma = value.find(',');
  const std::string_view first = value.substr(0, comma);
  const std::string_view second = comma == std::string_view::npos ? "" : value.substr(comma + 1);
  if (name == "mtu") return assign(mtu, number(value, {{"", 1}}));
  if (name == "loss") return assign(loss, probability(value));
  if (name == "burst")
    return assign(burst_begin, probability(first)) && assign(burst_end, probability(second));
  if (name == "mark") return assign(mark, probability(value));
  if (name == "corrupt") return assign(corrupt, probability(value));
  if (name == "rate") return assign(rate, number(value, {{"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}}));
  if (name == "queue") return assign(queue, number(value, {{"", 1}, {"k", 1024}, {"m", 1048576}}));
  if (name == "duplicate") return assign(duplicate, probability(value));
  if (name == "delay") return assign(delay, time_of(value));
  if (name == "jitter") return assign(jitter, time_of(value));
  if (name == "reorder") return assign(reorder, probability(first)) && assign(reorder_by, time_of(second));
  if (name == "seed") return assign(seed, number(value, {{"", 1}}));
  return false;
}

// Not std::uniform_real_distribution: a seed shall mean the same everywhere.
bool Direction::chance(double p) {
  if (p <= 0) return false;
  return static_cast<double>(random_() >> 11) * 0x1p-53 < p;
}

bool Direction::lost() {
  if (how_.burst_begin > 0) in_burst_ = in_burst_ ? !chance(how_.burst_end) : chance(how_.burst_begin);
  return chance(how_.loss) || in_burst_;
}

void Direction::put(std::span<const std::uint8_t> bytes, Time now) {
  if (how_.mtu > 0 && bytes.size() > how_.mtu + kEthernetHeader) return add(Fate::kTooBig);
  if (lost()) return add(Fate::kLost);
  Frame frame(bytes.begin(), bytes.end());
  if (chance(how_.mark) && mark_ce(frame)) add(Fate::kMarked);
  if (chance(how_.corrupt) && frame.size() > kEthernetHeader) {
    const std::size_t bit = random_() % ((frame.size() - kEthernetHeader) * 8);
    frame[kEthernetHeader + bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    add(Fate::kCorrupted);
  }
  Time leaves = now;
  if (how_.rate > 0) {
    const double ns_a_byte = 8e9 / static_cast<double>(how_.rate);
    const Time start = std::max(busy_until_, now);
    const auto waiting = static_cast<std::size_t>(static_cast<double>((start - now).count()) / ns_a_byte);
    if (waiting + frame.size() > how_.queue) return add(Fate::kQueueFull);
    leaves = busy_until_ =
        start + Time(static_cast<Time::rep>(ns_a_byte * static_cast<double>(frame.size())));
  }
  Time out = leaves + how_.delay;
  if (how_.jitter > Time(0))
    out += Time(static_cast<Time::rep>(random_() % static_cast<std::uint64_t>(how_.jitter.count() + 1)));
  out = last_out_ = std::max(out, last_out_);
  if (chance(how_.reorder)) {
    add(Fate::kReordered);
    out += how_.reorder_by;
  }
  if (chance(how_.duplicate)) {
    add(Fate::kDuplicated);
    flying_.emplace(out, frame);
  }
  add(Fate::kPassed);
  flying_.emplace(out, std::move(frame));
}

std::optional<Time> Direction::next() const {
  if (flying_.empty()) return std::nullopt;
  return flying_.begin()->first;
}

std::optional<Frame> Direction::take(Time now) {
  if (flying_.empty() || flying_.begin()->first > now) return std::nullopt;
  Frame frame = std::move(flying_.begin()->second);
  flying_.erase(flying_.begin());
  return frame;
}

}  // namespace sluice::test::link
