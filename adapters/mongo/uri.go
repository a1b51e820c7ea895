package mongo

import (
	"net/url"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"leat/handlers/fault"
)

// clientOptions reads the URI. Options that would weaken what leat promises are refused, not overridden.
func clientOptions(uri, database string, cfg Config) (*options.ClientOptions, error) {
	if database == "" || len(database) > 63 || strings.ContainsAny(database, "/\\. \"$\x00") {
		return nil, fault.Invalidf("store_database", "store: %q is no name of a MongoDB database", database)
	}
	opts := options.Client().ApplyURI(uri)
	if err := opts.Validate(); err != nil {
		return nil, fault.Invalidf("store_uri", "store: the MongoDB URI is wrong: %s", redact(uri, err.Error()))
	}
	if concern := opts.WriteConcern; concern != nil {
		weak := concern.W != nil && concern.W != writeconcern.WCMajority
		if weak || concern.Journal != nil && !*concern.Journal {
			return nil, fault.Invalidf("store_refused",
				"store: the MongoDB URI asks for a write concern below w=majority&journal=true, which loses acknowledged records in a failover: remove w and journal from it")
		}
	}
	if opts.ReadPreference != nil && opts.ReadPreference.Mode() != readpref.PrimaryMode {
		return nil, fault.Invalidf("store_refused",
			"store: the MongoDB URI asks for readPreference=%s, but records must be read from the primary: remove it", opts.ReadPreference.Mode())
	}
	if opts.ReadConcern != nil && opts.ReadConcern.Level != readconcern.Majority().Level {
		return nil, fault.Invalidf("store_refused",
			"store: the MongoDB URI asks for readConcernLevel=%s, but records that a failover may undo must not be read: remove it", opts.ReadConcern.Level)
	}
	journal := true
	opts.SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal})
	opts.SetReadConcern(readconcern.Majority())
	opts.SetReadPreference(readpref.Primary())
	opts.SetMaxPoolSize(uint64(cfg.MaxConnections))
	if opts.ServerSelectionTimeout == nil {
		opts.SetServerSelectionTimeout(cfg.Timeout)
	}
	if opts.ConnectTimeout == nil {
		opts.SetConnectTimeout(cfg.Timeout)
	}
	if opts.AppName == nil {
		opts.SetAppName("leat")
	}
	return opts, nil
}

// redact removes the credentials of a URI from a text, as they are and decoded. It errs on the side of removing:
// all between the scheme and the last @ counts as credentials.
func redact(uri, text string) string {
	_, rest, _ := strings.Cut(uri, "://")
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return text
	}
	credentials := rest[:at]
	_, password, _ := strings.Cut(credentials, ":")
	for _, secret := range []string{credentials, password} {
		for _, form := range []string{secret, unescaped(secret), url.QueryEscape(secret)} {
			if form != "" {
				text = strings.ReplaceAll(text, form, "***")
			}
		}
	}
	return text
}

func unescaped(text string) string {
	decoded, err := url.PathUnescape(text)
	if err != nil {
		return ""
	}
	return decoded
}
