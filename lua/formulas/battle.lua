-- What one STRIKE does. Called once for each strike; keep it a pure function of its arguments:
-- random() gives numbers in [0, 1) that belong to this strike and come again when it is replayed.
-- below(x, y) is 1 when x < y, else 0: cheaper than `x < y and 1 or 0` where both happen often.
-- Write x * x rather than x ^ 2: powers may differ in the last bit between compiled and interpreted.
local floor, min, max = math.floor, math.min, math.max

-- weapon 0 blade, 1 pistol, 2 rifle, 3 bow: damage up to near_m, a third of it from far_m on
local base = { [0] = 40, 32, 26, 30 }
local near_m = { [0] = 3, 8, 20, 12 }
local far_m = { [0] = 6, 20, 60, 40 }

return {
    name = "battle",
    version = 1,
    inputs = {
        { name = "attacker_rating", min = 0, max = 4000 },
        { name = "target_rating", min = 0, max = 4000 },
        { name = "distance_m", min = 0, max = 90 },
        { name = "weapon", min = 0, max = 3, integer = true },
        { name = "target_health", min = 0, max = 100, integer = true },
        { name = "attacker_streak", min = 0, max = 20, integer = true },
    },
    -- Answers outside are moved to the nearer end; what is no number becomes min.
    outputs = {
        { name = "damage", min = 5, max = 60 },
        { name = "critical", min = 0, max = 1 },
    },
    formula = function(attacker_rating, target_rating, distance_m, weapon, target_health, attacker_streak, random)
        local near, far = near_m[weapon], far_m[weapon]
        local away = min(max((distance_m - near) / (far - near), 0), 1)
        local range = 1 - away * (2 / 3)
        -- Skill shows, but 800 points are worth a fifth at most: the pairing does the rest.
        local skill = 1 + min(max((attacker_rating - target_rating) * 0.00025, -0.2), 0.2)
        local streak = min(attacker_streak, 10)
        local last_stand = 1 - 0.15 * below(target_health, 25)
        local spread = 0.9 + 0.2 * random()
        local critical = below(random(), 0.05 + 0.01 * streak)
        local damage = base[weapon] * range * skill * (1 + 0.02 * streak) * last_stand * spread * (1 + 0.5 * critical)
        return floor(damage + 0.5), critical
    end,
}
