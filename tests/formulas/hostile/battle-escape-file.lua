-- refused: there is no io here
-- A file of the machine's.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return #io.open("/etc/passwd"):read("*a")
    end,
}
