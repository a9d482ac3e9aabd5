package command

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// units are those of sizes, largest first. Without one a size is in bytes.
var units = []struct {
	name  string
	bytes int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}

// sizeOf reads a flag that takes a size.
func sizeOf(c *cli.Context, name string) (int64, error) {
	n, err := parseSize(c.String(name))
	if err != nil {
		return 0, usage("--%s %v", name, err).hinted("it takes bytes, or a number with a unit, such as 256MiB or 1GB")
	}
	return n, nil
}

func parseSize(text string) (int64, error) {
	number, unit := text, int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, fmt.Errorf("%q is no size", text)
	}
	return n * unit, nil
}
