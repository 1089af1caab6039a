-- The smallest appliance: two cores, one virtual port, a neighbour on the same machine.
-- A file is a Lua chunk that returns a table. It is evaluated in an empty environment: it can
-- calculate and loop, and nothing else. A key that is left out takes its default.
return {
  -- Core 0 does all of the data plane; core 1 control, formulas and the ledger.
  -- port counts from 1 (an entry of `ports`), queue from 0 (as the cards count).
  lcores = {
    { cpu = 0, roles = { "io", "shard" }, port = 1, queue = 0 },
    { cpu = 1, roles = { "control" } },
  },
  ports = {
    {
      kind = "memif", target = "/run/veltrix/memif.sock",
      owned = true, -- nobody else answers ARP, ping and neighbour solicitation here
      addresses = { "10.0.0.1", "fd00::1" },
      queues = 1, descriptors = 1024,
    },
  },
  -- A shared machine: sleep 20 us after 1000 empty polls, instead of burning the core.
  idle = { policy = "sleep", after_polls = 1000, sleep_us = 20 },
  memory = { huge = true, mbufs = 8192, arena_mib = 32 },
  -- packets_per_s = 0: nobody limits what we send.
  transport = { udp_port = 40000, window_us = 1000, packets_per_s = 0, players = 120000, busy_per_s = 10000 },
  shards = {
    count = 40, ring_events = 512, seed = 1,
    hunts_max = 0, -- half of a shard's players
    proposal_ms = 10000, search_ms = 120000, hunt_ms = 180000, idle_ms = 30000,
    repeat_ms = 750, repeats_max = 8, job_ms = 50,
    speed_cm_s = 1200, chest_range_cm = 300, strike_range_cm = 1000, chests = 8,
  },
  formulas = { idle_us = 20 }, -- those that are installed
  ledger = { path = "/var/lib/veltrix/ledger.db" },
  control = { socket = "/run/veltrix/control.sock", mode = "0660" },
}
