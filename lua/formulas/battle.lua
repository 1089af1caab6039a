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
    -- What comes from outside of these ranges is moved to the nearer end first, and so are answers.
    inputs = {
        { name = "attacker_rating", unit = "rating points", min = 0, max = 4000 },
        { name = "target_rating", unit = "rating points", min = 0, max = 4000 },
        { name = "distance_m", unit = "m", min = 0, max = 90 },
        { name = "weapon", unit = "0 blade, 1 pistol, 2 rifle, 3 bow", min = 0, max = 3, whole = true },
        { name = "target_health", unit = "health", min = 0, max = 100, whole = true },
        { name = "attacker_streak", unit = "hits", min = 0, max = 20, whole = true },
    },
    outputs = {
        { name = "damage", unit = "health", min = 5, max = 60 },
        { name = "critical", unit = "0 or 1", min = 0, max = 1 },
    },
    limits = { job_ns = 20, mean = { damage = { 10, 30 } } },
    examples = {
        -- Two equals, blade to blade: 40 give or take a tenth, half as much again when critical.
        { inputs = { attacker_rating = 1500, target_rating = 1500, distance_m = 2, weapon = 0, target_health = 100, attacker_streak = 0 },
          outputs = { damage = { 36, 60 } } },
        -- A rifle from very far away does a third of its 26.
        { inputs = { attacker_rating = 1500, target_rating = 1500, distance_m = 80, weapon = 2, target_health = 100, attacker_streak = 0 },
          outputs = { damage = { 8, 14 } } },
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
        return clamp(floor(damage + 0.5), 5, 60), critical
    end,
}
