package command

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/urfave/cli/v2"

	"licensekit/server/client"
)

// list is a list of the API: for people a table, for programs lines of JSON.
type list[T any] struct {
	path   string
	narrow map[string]string // parameters of the query by the flags for them; nil for a list that comes whole, and not in pages
	head   []string          // of the table
	row    func(T) []string
}

// action is what a command does that prints the list and nothing else.
func (l list[T]) action(env *Env) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := noArguments(c); err != nil {
			return err
		}
		return env.with(c, false, func(api *client.Client) error { return l.print(env, c, api) })
	}
}

// print prints the list, or as much of it as --limit says.
func (l list[T]) print(env *Env, c *cli.Context, api *client.Client) error {
	if c.Bool("json") {
		return l.walk(c, api, func(page []T) error { return printLines(env, page) })
	}
	t := env.table(l.head...)
	err := l.walk(c, api, func(page []T) error {
		for _, x := range page {
			t.row(l.row(x)...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.print()
}

func (l list[T]) walk(c *cli.Context, api *client.Client, each func([]T) error) error {
	if l.narrow != nil {
		return walkList(c, api, l.path, queryOf(c, l.narrow), each)
	}
	var all []T
	if _, err := api.Call(c.Context, http.MethodGet, l.path, nil, nil, &all); err != nil {
		return err
	}
	return each(all)
}

// queryOf is what flags narrow a list to, by the parameters they stand for.
func queryOf(c *cli.Context, parameters map[string]string) url.Values {
	query := url.Values{}
	for flag, parameter := range parameters {
		if text := c.String(flag); text != "" {
			query.Set(parameter, text)
		}
	}
	return query
}

// walkList goes through the pages of a list, until it ends or --limit is
// reached.
func walkList[T any](c *cli.Context, api *client.Client, path string, query url.Values, each func([]T) error) error {
	limit := c.Int("limit")
	if limit < 0 {
		return usage("--limit %d is below 0", limit).hinted("leave it out for all")
	}
	query.Set("limit", "200")
	for left := limit; ; {
		var page []T
		at, err := api.Call(c.Context, http.MethodGet, path, query, nil, &page)
		if err != nil {
			return err
		}
		if limit > 0 {
			page = page[:min(left, len(page))]
			left -= len(page)
		}
		if err := each(page); err != nil {
			return err
		}
		if at.NextCursor == nil || limit > 0 && left == 0 {
			return nil
		}
		query.Set("cursor", strconv.FormatInt(*at.NextCursor, 10))
	}
}
