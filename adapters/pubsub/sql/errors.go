package sql

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"leat/handlers/fault"
)

// hasCode reports whether PostgreSQL answered with an SQLSTATE that begins with one of the codes.
func hasCode(err error, codes ...string) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if strings.HasPrefix(answer.Code, code) {
			return true
		}
	}
	return false
}

// changed reports whether a table, a column or a group is not there, or not what it was: one should look again.
func changed(err error) bool {
	return hasCode(err, "42P01", "42703", "42804", "0A000") || errors.Is(err, pgx.ErrNoRows)
}

// refused reports whether PostgreSQL refuses for a reason that only a person can remove, names it, and says what to do.
func refused(err error) (code, advice string, yes bool) {
	switch {
	case hasCode(err, "28"):
		return "credentials", "check user and password in broker.sql.uri, and pg_hba.conf", true
	case hasCode(err, "3D000"):
		return "database", "create the database, or name another one in broker.sql.uri", true
	case hasCode(err, "42501"):
		return "permission", "grant the role USAGE and CREATE on the schema, or create the tables and grant it SELECT, INSERT, UPDATE and DELETE on them", true
	case hasCode(err, "3F000"):
		return "schema", "create the schema that search_path names", true
	}
	return "", "", false
}

// refusal gives an error its kind where one asks whether the broker can be used at all.
func refusal(ctx context.Context, err error, format string, args ...any) error {
	if code, advice, yes := refused(err); yes {
		return fault.Invalidf(code, "sql: "+format+": %w (%s)", append(args, err, advice)...)
	}
	return failure(ctx, err, format, args...)
}

// failure gives an error its kind. A message must not end in the DLQ because of a password or a switch-over, so all are
// Unavailable but the end of the caller's context, and values that PostgreSQL cannot hold.
func failure(ctx context.Context, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	kind, code := fault.Unavailable, ""
	switch {
	case errors.Is(err, context.Canceled), errors.Is(ctx.Err(), context.Canceled):
		kind = fault.Canceled
	case hasCode(err, "22", "54000"):
		kind, code = fault.Invalid, "value"
	}
	return &fault.Error{Kind: kind, Code: code, Err: fmt.Errorf("sql: "+format+": %w", append(args, err)...)}
}

// badURI says what is wrong with a connection string, unless that might tell a password.
func badURI(uri string, err error) error {
	const form = "postgres://user:password@host:port/database"
	parsed, bad := url.Parse(uri)
	if bad != nil {
		return fault.Invalidf("uri", "sql: the connection string is not of the form %s; special characters in the password need percent-encoding", form)
	}
	unsafe := !strings.HasPrefix(parsed.Scheme, "postgres")
	password, _ := parsed.User.Password()
	for _, secret := range []string{password, parsed.Query().Get("password"), parsed.Query().Get("sslpassword")} {
		unsafe = unsafe || secret != "" && strings.Contains(err.Error(), secret)
	}
	if unsafe {
		return fault.Invalidf("uri", "sql: the connection string cannot be read; it should be of the form %s", form)
	}
	return fault.Invalidf("uri", "sql: the connection string cannot be read: %w", err)
}
