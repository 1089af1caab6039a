-- What a chest holds. Called once for each chest that is won; random() as in battle.lua.
local floor, min, max = math.floor, math.min, math.max

return {
    name = "loot",
    version = 1,
    inputs = {
        { name = "player_rating", min = 0, max = 4000 },
        { name = "tier", min = 0, max = 3, integer = true },
        { name = "chests_left", min = 0, max = 8, integer = true },
        { name = "elapsed_s", min = 0, max = 600 },
        { name = "players", min = 1, max = 16, integer = true },
    },
    -- Items are numbered tier * 100 + 1 (common) to tier * 100 + 100 (the rarest of its tier).
    outputs = {
        { name = "item", min = 1, max = 400 },
        { name = "amount", min = 1, max = 50 },
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
