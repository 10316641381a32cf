package electrictest

import (
	"slices"
	"strconv"
)

// validateParams checks the names of a where's parameters: 1, 2, …, without gaps.
func validateParams(values map[string]string) string {
	numbers := make([]int, 0, len(values))
	for name := range values {
		n, err := strconv.Atoi(name)
		if err != nil {
			return "Parameters can only use numbers as keys"
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != i+1 {
			return "Parameters must be numbered sequentially, starting from 1"
		}
	}
	return ""
}
