// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/worker.h"

#include <rte_ethdev.h>
#include <sys/prctl.h>
#include <time.h>

#include <string>
#include <utility>

namespace sluice {

Worker::Worker(WorkerId id, const WorkerShared& shared)
    : id_(id),
      shared_(shared),
      timers_(shared.clock.now()),
      ip_({shared.interfaces, shared.routes, shared.buffers, timers_, drops_, *this}),
      idle_(shared.idle),
      services_{id,
                shared.workers,
                shared.buffers,
                timers_,
                ip_,
                drops_,
                shared.owner.ports_of(id),
                shared.clock.now()},
      link_was_up_(shared.ports.size(), false) {
  for (const auto& p : shared.ports) {
    tx_.emplace_back(p->dpdk_id(), static_cast<std::uint16_t>(id.value % p->traits().queues), drops_);
  }
}

Worker::~Worker() = default;

void Worker::run() {
  prctl(PR_SET_NAME, ("sluice-worker" + std::to_string(id_.value)).c_str());  // top -H, perf, sluice-pktgen
  prctl(PR_SET_TIMERSLACK, 1000);  // ns; the default of 50 us would double our short sleeps
  app_ = shared_.factory.create(services_);
  shared_.rcu.online(id_);
  std::uint64_t begin = TscClock::cycles();
  while (phase_.load(std::memory_order_acquire) != Phase::kStop) {
    const Instant now = shared_.clock.at(begin);
    worked_ = false;
    loop(now);
    shared_.rcu.quiescent(id_);
    ready_.store(true, std::memory_order_release);
    if (phase_.load(std::memory_order_relaxed) == Phase::kDrain) drain_step(now);

    const Duration nap = idle_.after_loop(worked_, now, timers_.next_deadline());
    std::uint64_t end = TscClock::cycles();
    account(begin, end);
    if (nap > Duration::zero()) {
      sleep(nap);
      const std::uint64_t woken = TscClock::cycles();
      counters_.idle_cycles.add(woken - end);
      end = woken;
    }
    begin = end;
  }
  shared_.rcu.offline(id_);
}

/// The life of a loop: everything that came in goes as far as it can, and everything that it caused goes out.
void Worker::loop(Instant now) {
  refresh(now);
  watch_links(now);
  receive(now);
  take_handovers(now);
  dispatch(now);
  deliver(now);
  if (catch_up_.timers_may_run(more_waits_, now)) timers_.advance(now);
  ip_.take_unresolved(received_.errors);
  app_->on_poll(now);
  ip_.flush();
  for (port::TxBuffer& t : tx_) worked_ |= t.flush() > 0;
  worked_ |= app_->on_flushed(now);
}

void Worker::refresh(Instant now) {
  const net::VipSet* vips = app_->refresh(now);
  // A new set may lie where an old one was freed, so an equal pointer is looked into now and then.
  if (vips == vips_ && now < next_vip_check_) return;
  constexpr Duration kVipCheck = std::chrono::milliseconds(10);
  next_vip_check_ = now + kVipCheck;
  vips_ = vips;
  static const net::VipSet kNone;
  const net::VipSet& set = vips == nullptr ? kNone : *vips;
  if (ip_.local().vips() != set.addresses) ip_.set_vips(set, id_.value == 0, now);
}

/// Worker 0 asks the drivers; each worker draws its own conclusions when a link comes up. One that is down is
/// asked for more often: what arrives meanwhile cannot be answered.
void Worker::watch_links(Instant now) {
  if (now < next_link_check_) return;
  next_link_check_ = now + std::chrono::seconds(1);
  for (std::uint32_t i = 0; i < shared_.ports.size(); ++i) {
    if (id_.value == 0) shared_.ports[i]->poll_link();
    const bool up = shared_.ports[i]->link_up();
    if (up && !link_was_up_[i]) {
      ip_.link_restored(PortId{i}, now);
      if (id_.value == 0) ip_.announce(PortId{i}, now);
    }
    link_was_up_[i] = up;
    if (!up) next_link_check_ = now + std::chrono::milliseconds(50);
  }
  counters_.neighbors.set(ip_.neighbors().size());
}

void Worker::receive(Instant now) {
  rte_mbuf* frames[kBurst];
  more_waits_ = false;
  for (std::uint32_t i = 0; i < shared_.ports.size(); ++i) {
    const port::Port& p = *shared_.ports[i];
    if (id_.value >= p.traits().queues) continue;
    const std::uint16_t n =
        rte_eth_rx_burst(p.dpdk_id(), static_cast<std::uint16_t>(id_.value), frames, kBurst);
    if (n == 0) continue;
    worked_ = true;
    more_waits_ |= n == kBurst;
    std::uint64_t bytes = 0;
    for (std::uint16_t k = 0; k < n; ++k) bytes += frames[k]->pkt_len;
    counters_.rx_packets.add(n);
    counters_.rx_bytes.add(bytes);
    ip_.input(PortId{i}, {frames, n}, now, received_);
  }
}

/// At most a ring's content from each, so that a flooding neighbour does not keep us here.
void Worker::take_handovers(Instant now) {
  for (std::uint32_t from = 0; from < shared_.workers; ++from) {
    if (from == id_.value) continue;
    auto& ring = shared_.rings.ring(WorkerId{from}, id_);
    Handover item;
    for (unsigned n = 0; n < 4u * kBurst && ring.pop(item); ++n) {
      worked_ = true;
      counters_.handovers_in.add();
      if (auto* packet = std::get_if<net::Packet>(&item)) {
        mine_.push_back(std::move(*packet));
      } else if (auto* out = std::get_if<OutFrame>(&item)) {
        rte_mbuf* frame = out->frame.release();
        transmit(out->port, {&frame, 1});
      } else if (auto* learned = std::get_if<net::NeighborUpdate>(&item)) {
        ip_.learn(*learned, now);
      } else if (auto* error = std::get_if<net::IcmpError>(&item)) {
        errors_.push_back(*error);
      }
    }
  }
}

/// What this worker received goes to its owner. Neighbours go to all: each worker has a table of its own, and
/// the answer to one's request may arrive at another.
void Worker::dispatch(Instant) {
  for (net::Packet& p : received_.packets) {
    const WorkerId owner = owner_of(p.flow);
    if (owner == id_)
      mine_.push_back(std::move(p));
    else
      hand_over(owner, std::move(p));
  }
  for (net::IcmpError& e : received_.errors) {
    const WorkerId owner = owner_of(e.flow);
    if (owner == id_)
      errors_.push_back(e);
    else
      hand_over(owner, e);
  }
  for (const net::NeighborUpdate& u : received_.neighbors) {
    for (std::uint32_t to = 0; to < shared_.workers; ++to) {
      if (to != id_.value) hand_over(WorkerId{to}, u);
    }
  }
  received_.clear();
}

void Worker::deliver(Instant now) {
  if (!mine_.empty()) app_->on_packets(mine_, now);
  for (const net::IcmpError& e : errors_) app_->on_icmp_error(e, now);
  mine_.clear();
  errors_.clear();
}

void Worker::hand_over(WorkerId to, Handover item) {
  if (shared_.rings.ring(id_, to).push(std::move(item))) return counters_.handovers_out.add();
  drops_.add(DropReason::kHandoverRingFull);
}

void Worker::transmit(PortId port, std::span<rte_mbuf* const> frames) {
  const std::uint16_t queues = shared_.ports[port.value]->traits().queues;
  if (id_.value >= queues) {
    const WorkerId owner{id_.value % queues};
    for (rte_mbuf* m : frames) hand_over(owner, OutFrame{port, BufChain::adopt(m)});
    worked_ = true;
    return;
  }
  std::uint64_t bytes = 0;
  for (const rte_mbuf* m : frames) bytes += m->pkt_len;
  counters_.tx_packets.add(frames.size());
  counters_.tx_bytes.add(bytes);
  tx_[port.value].add(frames);
}

void Worker::drain_step(Instant now) {
  if (!draining_) {
    draining_ = true;
    app_->begin_drain(now);
  }
  if (app_->drained()) drained_.store(true, std::memory_order_release);
}

void Worker::account(std::uint64_t begin, std::uint64_t end) {
  counters_.loops.add();
  (worked_ ? counters_.busy_cycles : counters_.idle_cycles).add(end - begin);
}

/// Offline meanwhile: nothing that was read before is used after.
void Worker::sleep(Duration d) {
  counters_.sleeps.add();
  shared_.rcu.offline(id_);
  timespec t{};
  t.tv_nsec = static_cast<long>(d.count());
  nanosleep(&t, nullptr);
  shared_.rcu.online(id_);
}

void WorkerCounters::visit(MetricSink& sink, std::string_view labels, std::uint64_t hz) const {
  const auto seconds = [hz](const Counter& c) {
    return static_cast<double>(c.get()) / static_cast<double>(hz);
  };
  sink.counter("sluice_worker_loops_total", "Turns of the poll loop.", labels, loops.get());
  sink.counter("sluice_worker_busy_cycles_total", "TSC cycles in loops that did work.", labels,
               busy_cycles.get());
  sink.counter("sluice_worker_idle_cycles_total", "TSC cycles in empty loops and asleep.", labels,
               idle_cycles.get());
  sink.gauge("sluice_worker_busy_seconds", "Time in loops that did work.", labels, seconds(busy_cycles));
  sink.gauge("sluice_worker_idle_seconds", "Time in empty loops and asleep.", labels, seconds(idle_cycles));
  sink.counter("sluice_worker_sleeps_total", "Sleeps of the adaptive idle policy.", labels, sleeps.get());
  sink.counter("sluice_worker_rx_packets_total", "Frames received.", labels, rx_packets.get());
  sink.counter("sluice_worker_rx_bytes_total", "Bytes received.", labels, rx_bytes.get());
  sink.counter("sluice_worker_tx_packets_total", "Frames queued for sending.", labels, tx_packets.get());
  sink.counter("sluice_worker_tx_bytes_total", "Bytes queued for sending.", labels, tx_bytes.get());
  sink.counter("sluice_worker_handovers_out_total", "Items given to other workers.", labels,
               handovers_out.get());
  sink.counter("sluice_worker_handovers_in_total", "Items taken from other workers.", labels,
               handovers_in.get());
  sink.gauge("sluice_worker_neighbors", "Entries of the neighbour table.", labels,
             static_cast<double>(neighbors.get()));
}

}  // namespace sluice
