-- What a chest holds. Called once for each chest that is won; random() as in battle.lua.
local floor, min, max = math.floor, math.min, math.max

return {
    name = "loot",
    version = 1,
    inputs = {
        { name = "player_rating", unit = "rating points", min = 0, max = 4000 },
        { name = "tier", unit = "chest's number modulo 4", min = 0, max = 3, whole = true },
        { name = "chests_left", unit = "chests", min = 0, max = 8, whole = true },
        { name = "elapsed_s", unit = "s", min = 0, max = 600 },
        { name = "players", unit = "players", min = 1, max = 64, whole = true },
    },
    -- Items are numbered tier * 100 + 1 (common) to tier * 100 + 100 (the rarest of its tier).
    outputs = {
        { name = "item", unit = "item number", min = 1, max = 400 },
        { name = "amount", unit = "pieces", min = 1, max = 50 },
    },
    limits = { job_ns = 20, mean = { amount = { 2, 8 } } },
    examples = {
        -- A plain chest at the start of a hunt of two: an item of the lowest tier, a few pieces.
        { inputs = { player_rating = 1500, tier = 0, chests_left = 7, elapsed_s = 5, players = 2 }, outputs = { item = { 1, 100 }, amount = { 1, 4 } } },
        -- The best tier, and the last chest of a long hunt.
        { inputs = { player_rating = 1500, tier = 3, chests_left = 0, elapsed_s = 180, players = 2 }, outputs = { item = { 301, 400 }, amount = { 1, 16 } } },
    },
    formula = function(player_rating, tier, chests_left, elapsed_s, players, random)
        -- The square of a uniform number makes rare things rare: above 90 only once in twenty times.
        local roll = random()
        local luck = roll * roll
        -- The last chest and a long hunt are better; beginners find a little more.
        local bonus = 0.1 * below(chests_left, 2) + min(elapsed_s, 300) * 0.0003 + max(1500 - player_rating, 0) * 0.00004
        local rarity = min(floor((luck + bonus * roll) * 100), 99)
        local plenty = (1 + tier) * (1 + min(players, 8) * 0.125)
        local amount = 1 + floor(random() * plenty * (1.5 - rarity * 0.01) * 2)
        return tier * 100 + 1 + rarity, amount
    end,
}
