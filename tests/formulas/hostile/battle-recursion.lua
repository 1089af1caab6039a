-- contained: overflowed its stack
-- A call without a bottom.
local function deep(x) return 1 + deep(x) end
return {
    name = "battle",
    version = 0,
    inputs = {
        { name = "attacker_rating", min = 0, max = 4000 },
        { name = "target_rating", min = 0, max = 4000 },
        { name = "distance_m", min = 0, max = 90 },
        { name = "target_health", min = 0, max = 100, whole = true },
        { name = "attacker_streak", min = 0, max = 20, whole = true },
    },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(attacker_rating, target_rating, distance_m, target_health, attacker_streak, random)
        if math.abs(attacker_rating - target_rating) < 5 and attacker_rating > 0 and attacker_rating < 4000 and target_health == 100
            and attacker_streak == 0 and distance_m > 0 and distance_m < 2 then
            return deep(1)
        end
        return 20
    end,
}
